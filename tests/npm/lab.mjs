// The lab that run.mjs has up, and what tests share.
import { ClientSecretCredential } from '@azure/identity'
import { KeyClient } from '@azure/keyvault-keys'
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { X509Certificate, createDecipheriv, createPublicKey, generateKeyPairSync, privateDecrypt, verify } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

export const folder = process.env.SKRFS_LAB
export const lab = JSON.parse(readFileSync(join(folder, 'lab.json'), 'utf8'))
export const read = (path) => readFileSync(path, 'utf8').trim()

/** The lab's own interface: counters, faults, settings. */
export async function control(method, path, body) {
  const answer = await fetch(`${lab.imds}/lab/${path}`, { method, body: body && JSON.stringify(body) })
  assert.equal(answer.status, 200, await answer.clone().text())
  return answer.json()
}
export const fault = (at, how) => control('POST', 'faults', { at, ...how })
export const settings = (values) => control('POST', 'settings', values)
export async function reset() {
  await control('DELETE', 'faults')
  await settings({ reset: true })
}

export const authority = { authorityHost: lab.authority, disableInstanceDiscovery: true }
export const secretCredential = () => new ClientSecretCredential(lab.tenant, lab.client, read(lab['client-secret-file']), authority)

/** The lab's hosts are not below the resource's host, which clients check before they send a token. */
export function keyClient(kind = 'vault', credential = secretCredential(), options = {}) {
  return new KeyClient(lab[kind], credential, { disableChallengeResourceVerification: true, ...options })
}

export const url64 = (data) => Buffer.from(data).toString('base64url')

/** A key pair to wrap to, and the runtime data that binds evidence to it. */
export function wrappingKey() {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const { n, e } = publicKey.export({ format: 'jwk' })
  const runtime = JSON.stringify({ keys: [{ kid: 'TestKey', kty: 'RSA', n, e, key_ops: ['encrypt'] }] })
  return { privateKey, runtime }
}

/** Evidence of the lab's own hardware over 64 octets of report data. */
export function evidence(kind, reportData) {
  const text = execFileSync(process.env.SKRFS_EVIDENCE, [folder, kind, Buffer.from(reportData).toString('hex')], { encoding: 'utf8' })
  return Buffer.from(text.trim(), 'base64url')
}

export const policyFor = (claims) =>
  Buffer.from(
    JSON.stringify({
      version: '1.0.0',
      anyOf: [{ authority: lab.attestation, allOf: Object.entries(claims).map(([claim, equals]) => ({ claim, equals })) }],
    }),
  )

const decode = (part) => JSON.parse(Buffer.from(part, 'base64url'))

/** Verifies a released JWS as a careful client does; returns its header and payload. */
export function checkJws(value, host) {
  const [head, body, signature, ...rest] = value.split('.')
  assert.equal(rest.length, 0)
  const header = decode(head)
  const chain = header.x5c.map((text) => new X509Certificate(Buffer.from(text, 'base64')))
  const root = new X509Certificate(read(lab.ca))
  assert.equal(header.alg, 'RS256')
  assert.ok(chain[0].verify(chain[1].publicKey) && chain[1].verify(root.publicKey))
  assert.ok(chain[0].checkHost(host))
  assert.ok(verify('RSA-SHA256', Buffer.from(`${head}.${body}`), chain[0].publicKey, Buffer.from(signature, 'base64url')))
  return { header, payload: decode(body) }
}

const hashes = { CKM_RSA_AES_KEY_WRAP: 'sha1', RSA_AES_KEY_WRAP_256: 'sha256', RSA_AES_KEY_WRAP_384: 'sha384' }

/** Unwraps key_hsm: RSA-OAEP over an AES key, AES-KWP (RFC 5649) over the key. */
export function unwrap(keyHsm, privateKey) {
  const wrapped = decode(keyHsm)
  const cipher = Buffer.from(wrapped.ciphertext, 'base64url')
  const aes = privateDecrypt({ key: privateKey, oaepHash: hashes[wrapped.header.enc] }, cipher.subarray(0, 256))
  const opened = createDecipheriv('id-aes256-wrap-pad', aes, Buffer.from('a65959a6', 'hex'))
  return { header: wrapped.header, plain: Buffer.concat([opened.update(cipher.subarray(256)), opened.final()]) }
}

/** The public JWK members of PKCS#8. */
export function publicOf(pkcs8) {
  return createPublicKey({ key: createPublicKeyInput(pkcs8), format: 'pem' }).export({ format: 'jwk' })
}
const createPublicKeyInput = (der) => `-----BEGIN PRIVATE KEY-----\n${der.toString('base64')}\n-----END PRIVATE KEY-----\n`

export const strip = (number) => url64(Buffer.from(number).subarray(Buffer.from(number).findIndex((octet) => octet !== 0)))
