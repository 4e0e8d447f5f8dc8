// @azure/keyvault-keys against the lab's vault and Managed HSM: every operation that a released key goes through.
import { AttestationClient } from '@azure/attestation'
import assert from 'node:assert/strict'
import { createECDH, createHash, generateKeyPairSync } from 'node:crypto'
import { before, beforeEach, test } from 'node:test'
import { checkJws, control, evidence, fault, keyClient, lab, policyFor, publicOf, reset, secretCredential, settings, strip, unwrap, url64, wrappingKey } from './lab.mjs'

const encs = ['CKM_RSA_AES_KEY_WRAP', 'RSA_AES_KEY_WRAP_256', 'RSA_AES_KEY_WRAP_384']
const claims = { 'x-ms-attestation-type': 'sgx', 'x-ms-sgx-is-debuggable': 'false' }
const exportable = { exportable: true, releasePolicy: { encodedPolicy: policyFor(claims) } }
const kek = wrappingKey()
let target

before(async () => {
  const reportData = Buffer.concat([createHash('sha256').update(kek.runtime).digest(), Buffer.alloc(32)])
  const client = new AttestationClient(lab.attestation, secretCredential())
  target = (await client.attestSgxEnclave(evidence('sgx', reportData), { runTimeJson: Buffer.from(kek.runtime) })).token.serialize()
})
beforeEach(reset)

const version = (key) => key.properties.version
const releaseOf = (payload) => payload.response.key.key

function compare(released, plain) {
  if (released.kty.startsWith('oct')) return assert.equal(plain.length, 32)
  const opened = publicOf(plain)
  if (released.n) assert.equal(strip(Buffer.from(released.n, 'base64url')), strip(Buffer.from(opened.n, 'base64url')))
  // Node writes no JWK for P-256K: its point is compared where it does.
  else if (opened.x) assert.equal(released.x, opened.x)
}

async function releaseInEachWay(kind, name, key) {
  const client = keyClient(kind)
  for (const algorithm of [undefined, ...encs])
    for (const pinned of [undefined, version(key)])
      for (const nonce of [undefined, 'bm9uY2U']) {
        const { value } = await client.releaseKey(name, target, { ...(algorithm && { algorithm }), ...(pinned && { version: pinned }), ...(nonce && { nonce }) })
        const { payload } = checkJws(value, new URL(lab[kind]).hostname)
        assert.equal(payload.request.enc, algorithm ?? 'CKM_RSA_AES_KEY_WRAP')
        assert.equal(payload.request.nonce, nonce)
        assert.equal(payload.request.kid, pinned ? key.id : key.id.slice(0, key.id.lastIndexOf('/')))
        const released = releaseOf(payload)
        assert.equal(released.kid, key.id)
        const { header, plain } = unwrap(released.key_hsm, kek.privateKey)
        assert.equal(header.enc, payload.request.enc)
        assert.equal(header.kid, 'TestKey')
        compare(released, plain)
      }
}

for (const [kind, name, make] of [
  ['vault', 'rsa', (client) => client.createRsaKey('rsa', { hsm: true, keySize: 3072, ...exportable })],
  ['vault', 'ec', (client) => client.createEcKey('ec', { hsm: true, curve: 'P-384', ...exportable })],
  ['vault', 'ec-k', (client) => client.createEcKey('ec-k', { hsm: true, curve: 'P-256K', ...exportable })],
  ['hsm', 'rsa', (client) => client.createRsaKey('rsa', { hsm: true, ...exportable })],
  ['hsm', 'ec', (client) => client.createEcKey('ec', { hsm: true, curve: 'P-521', ...exportable })],
  ['hsm', 'oct', (client) => client.createOctKey('oct', { hsm: true, keySize: 256, ...exportable })],
])
  test(`create and release: ${kind} ${name}`, async () => {
    const made = await make(keyClient(kind))
    assert.equal(made.properties.exportable, true)
    assert.ok(made.properties.releasePolicy.encodedPolicy.length > 0)
    const got = await keyClient(kind).getKey(name)
    assert.equal(got.id, made.id)
    await releaseInEachWay(kind, name, got)
  })

test('the headers of released keys differ between the services', async () => {
  const vault = checkJws((await keyClient('vault').releaseKey('ec', target)).value, new URL(lab.vault).hostname)
  const hsm = checkJws((await keyClient('hsm').releaseKey('ec', target)).value, new URL(lab.hsm).hostname)
  assert.match(vault.header.kid, /^[0-9A-F]{40}$/)
  assert.equal(vault.header.typ, 'JWT')
  assert.match(hsm.header.kid, /^[0-9a-f]{8}-/)
  assert.equal(hsm.header.typ, undefined)
  assert.equal(releaseOf(vault.payload).kty, 'EC-HSM')
  assert.equal(releaseOf(hsm.payload).kty, 'EC')
})

test('import and release: RSA', async () => {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const jwk = Object.fromEntries(Object.entries(privateKey.export({ format: 'jwk' })).map(([name, value]) => [name, name === 'kty' ? value : Buffer.from(value, 'base64url')]))
  const key = await keyClient().importKey('imported', { ...jwk, keyOps: ['sign'] }, { hardwareProtected: true, ...exportable })
  assert.equal(key.keyType, 'RSA-HSM')
  const { value } = await keyClient().releaseKey('imported', target)
  const { plain } = unwrap(releaseOf(checkJws(value, new URL(lab.vault).hostname).payload).key_hsm, kek.privateKey)
  assert.deepEqual(plain, privateKey.export({ format: 'der', type: 'pkcs8' }))
})

test('import and release: an oct key into the Managed HSM', async () => {
  const k = Buffer.from('000102030405060708090a0b0c0d0e0f', 'hex')
  await keyClient('hsm').importKey('imported', { kty: 'oct-HSM', k }, exportable)
  const { value } = await keyClient('hsm').releaseKey('imported', target, { algorithm: 'RSA_AES_KEY_WRAP_256' })
  assert.deepEqual(unwrap(releaseOf(checkJws(value, new URL(lab.hsm).hostname).payload).key_hsm, kek.privateKey).plain, k)
})

test('import: halves that do not belong together', async () => {
  const one = createECDH('prime256v1')
  const other = createECDH('prime256v1')
  one.generateKeys()
  const point = other.generateKeys()
  const key = { kty: 'EC', crv: 'P-256', d: one.getPrivateKey(), x: point.subarray(1, 33), y: point.subarray(33) }
  await assert.rejects(keyClient().importKey('wrong', key), (error) => error.statusCode === 400 && error.code === 'BadParameter')
})

test('rotate: old version and new can both be released', async () => {
  const client = keyClient()
  const first = await client.createEcKey('turning', { hsm: true, ...exportable })
  const second = await client.rotateKey('turning')
  assert.notEqual(first.id, second.id)
  const of = async (options) => releaseOf(checkJws((await client.releaseKey('turning', target, options)).value, new URL(lab.vault).hostname).payload).kid
  assert.equal(await of({}), second.id)
  assert.equal(await of({ version: version(first) }), first.id)
})

test('versions and keys come in pages', async () => {
  const client = keyClient('hsm')
  for (let i = 0; i < 28; i += 1) await client.createOctKey('many', { hsm: true })
  const versions = []
  for await (const one of client.listPropertiesOfKeyVersions('many')) versions.push(one.version)
  assert.equal(new Set(versions).size, 28)
  const names = []
  for await (const one of client.listPropertiesOfKeys()) names.push(one.name)
  assert.ok(names.includes('many') && names.includes('oct'))
})

test('update: attributes of a version', async () => {
  const client = keyClient()
  const key = await client.createEcKey('changing', { hsm: true, ...exportable })
  const changed = await client.updateKeyProperties('changing', version(key), { enabled: false, tags: { a: 'b' } })
  assert.equal(changed.properties.enabled, false)
  assert.deepEqual(changed.properties.tags, { a: 'b' })
  await assert.rejects(client.releaseKey('changing', target), (error) => error.statusCode === 403)
  await client.updateKeyProperties('changing', version(key), { enabled: true, expiresOn: new Date(Date.now() - 1000) })
  await assert.rejects(client.releaseKey('changing', target), (error) => error.statusCode === 403)
})

test('update: the policy belongs to the key, not to a version', async () => {
  const client = keyClient()
  const key = await client.createEcKey('policy', { hsm: true, ...exportable })
  const releasePolicy = { encodedPolicy: policyFor({ 'x-ms-attestation-type': 'tdxvm' }) }
  await assert.rejects(client.updateKeyProperties('policy', version(key), { releasePolicy }), /1016/)
  await client.updateKeyProperties('policy', { releasePolicy })
  await assert.rejects(client.releaseKey('policy', target), /does not meet the key release policy/)
})

test('update: an immutable policy stays', async () => {
  const client = keyClient()
  await client.createEcKey('fixed', { hsm: true, exportable: true, releasePolicy: { ...exportable.releasePolicy, immutable: true } })
  await assert.rejects(client.updateKeyProperties('fixed', { releasePolicy: exportable.releasePolicy }), /1020/)
})

test('the vault rewrites a policy, the Managed HSM keeps its octets', async () => {
  const encodedPolicy = Buffer.from(`{ "anyOf": [ {"authority": "${lab.attestation}", "allOf": [ {"claim": "a", "equals": true} ] } ], "version": "1.0.0" }`)
  for (const kind of ['vault', 'hsm']) {
    const key = await keyClient(kind).createEcKey('spelling', { hsm: true, exportable: true, releasePolicy: { encodedPolicy } })
    const kept = Buffer.from(key.properties.releasePolicy.encodedPolicy)
    assert.equal(kept.equals(encodedPolicy), kind === 'hsm')
    assert.match(kept.toString(), kind === 'hsm' ? /true/ : /"equals":"true"/)
  }
})

test('the SKR numbers of refused creations', async () => {
  const client = keyClient()
  const refused = (make, number) => assert.rejects(make, (error) => error.statusCode === 400 && error.code === 'BadParameter' && error.message.includes(`AKV.SKR.${number}`))
  await refused(client.createRsaKey('no', { hsm: true, exportable: true }), 1004)
  await refused(client.createRsaKey('no', { hsm: true, releasePolicy: exportable.releasePolicy }), 1005)
  await refused(client.createRsaKey('no', exportable), 1006)
  const nobody = Buffer.from('{"version":"1.0.0","anyOf":[{"authority":"https://nobody.example","allOf":[{"claim":"a","equals":"b"}]}]}')
  await refused(client.createEcKey('no', { hsm: true, exportable: true, releasePolicy: { encodedPolicy: nobody } }), 1012)
  await refused(client.createEcKey('ec', { hsm: true }), 1003)
  await refused(keyClient('vault', secretCredential(), { serviceVersion: '7.2' }).createEcKey('no', { hsm: true, ...exportable }), 1001)
})

test('delete, conflict, recover, purge', async () => {
  const client = keyClient()
  await client.createEcKey('leaving', { hsm: true })
  const poller = await client.beginDeleteKey('leaving', { intervalInMs: 10 })
  const deleted = await poller.pollUntilDone()
  assert.ok(deleted.properties.recoveryId && deleted.properties.scheduledPurgeDate > deleted.properties.deletedOn)
  await assert.rejects(client.getKey('leaving'), (error) => error.statusCode === 404 && error.code === 'KeyNotFound')
  await assert.rejects(client.createEcKey('leaving'), (error) => error.statusCode === 409 && error.code === 'Conflict')
  const names = []
  for await (const one of client.listDeletedKeys()) names.push(one.name)
  assert.deepEqual(names, ['leaving'])
  await (await client.beginRecoverDeletedKey('leaving', { intervalInMs: 10 })).pollUntilDone()
  assert.equal((await client.getKey('leaving')).name, 'leaving')
  await (await client.beginDeleteKey('leaving', { intervalInMs: 10 })).pollUntilDone()
  await client.purgeDeletedKey('leaving')
  await assert.rejects(client.getDeletedKey('leaving'), (error) => error.statusCode === 404)
})

test('releases that are refused', async () => {
  const client = keyClient()
  const refused = (token, text) => assert.rejects(client.releaseKey('ec', token), (error) => error.statusCode === 403 && error.code === 'Forbidden' && text.test(error.message))
  await refused('eyJ.MAA.TOKEN', /cannot be verified/)
  await refused(`${target.slice(0, -20)}${'A'.repeat(20)}`, /cannot be verified/)
  await fault('release', { do: 'deny-claim', claim: 'x-ms-sgx-is-debuggable' })
  await refused(target, /does not meet the key release policy/)
  await fault('release', { do: 'deny-token' })
  await refused(target, /cannot be verified/)
  await settings({ release_role: false })
  await refused(target, /keys\/release\/action/)
  await reset()
  await assert.rejects(client.releaseKey('nothing', target), (error) => error.statusCode === 404)
  await assert.rejects(keyClient('hsm').releaseKey('many', target), (error) => error.statusCode === 403)
})

test('throttling: the client waits as long as it is told', async () => {
  const client = keyClient()
  await client.getKey('ec')
  for (const how of [{ retry_after: 1 }, { retry_after_ms: 50 }, { retry_after: 1, retry_after_date: true }]) {
    await fault('get', { status: 429, code: 'Throttled', message: 'too many', ...how })
    assert.equal((await client.getKey('ec')).name, 'ec')
  }
  const before = (await control('GET', 'counters')).get
  await fault('get', { status: 429, code: 'Throttled', message: 'too many' })
  await assert.rejects(client.getKey('ec'), (error) => error.statusCode === 429)
  assert.equal((await control('GET', 'counters')).get, before + 1)
})

test('throttling: 10 creations and releases of HSM keys in 10 seconds', async () => {
  const client = keyClient('vault', secretCredential(), { retryOptions: { maxRetries: 0 } })
  await client.getKey('ec')
  await settings({ throttle: true })
  const results = await Promise.allSettled(Array.from({ length: 11 }, () => client.releaseKey('ec', target)))
  const failed = results.filter((result) => result.status === 'rejected')
  assert.equal(failed.length, 1)
  assert.equal(failed[0].reason.statusCode, 429)
  assert.ok(Number(failed[0].reason.response.headers.get('retry-after')) > 0)
})

test('answers that break off, stall, or lead elsewhere', async () => {
  const client = keyClient('vault', secretCredential(), { retryOptions: { maxRetries: 0 } })
  await client.getKey('ec')
  for (const how of [{ cut_at: 0 }, { cut_at: 40 }, { do: 'half-body' }, { do: 'reset' }, { do: 'garbage' }]) {
    await fault('get', how)
    await assert.rejects(client.getKey('ec'), undefined, JSON.stringify(how))
  }
  await fault('get', { stall_at: 10 })
  await assert.rejects(client.getKey('ec', { abortSignal: AbortSignal.timeout(500) }))
  await fault('get', { status: 503, code: 'ServiceUnavailable' })
  await assert.rejects(client.getKey('ec'), (error) => error.statusCode === 503)
  assert.equal((await client.getKey('ec')).name, 'ec')
})

test('what a request and an answer carry', async () => {
  let answer
  await keyClient().getKey('ec', { onResponse: (raw) => (answer = raw) })
  assert.match(answer.headers.get('x-ms-request-id'), /^[0-9a-f-]{36}$/)
  assert.ok(answer.headers.get('x-ms-keyvault-region'))
  assert.equal(url64(Buffer.from('a')), 'YQ')
})
