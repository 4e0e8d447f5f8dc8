// @azure/attestation for enclaves, and what it has no call for over plain HTTPS.
import { AttestationClient } from '@azure/attestation'
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { beforeEach, test } from 'node:test'
import { evidence, fault, lab, reset, secretCredential, url64, wrappingKey } from './lab.mjs'

beforeEach(reset)

const client = () => new AttestationClient(lab.attestation, secretCredential())
const sha256 = (data) => createHash('sha256').update(data).digest()
const claimsOf = (token) => JSON.parse(Buffer.from(token.split('.')[1], 'base64url'))
const bound = (runtime) => Buffer.concat([sha256(runtime), Buffer.alloc(32)])

/** An Open Enclave report: a header of 16 octets before the quote. */
function openEnclave(quote) {
  const header = Buffer.alloc(16)
  header.writeUInt32LE(1, 0)
  header.writeUInt32LE(2, 4)
  header.writeBigUInt64LE(BigInt(quote.length), 8)
  return Buffer.concat([header, quote])
}

test('SGX: runtime data as JSON is in the token', async () => {
  const { runtime } = wrappingKey()
  const result = await client().attestSgxEnclave(evidence('sgx', bound(runtime)), { runTimeJson: Buffer.from(runtime) })
  assert.equal(claimsOf(result.token.serialize())['x-ms-attestation-type'], 'sgx')
  assert.equal(result.body.isDebuggable, false)
  assert.equal(result.body.issuer, lab.attestation)
  assert.equal(result.body.runTimeClaims.keys[0].kid, 'TestKey')
})

test('SGX: runtime data as octets comes back as held data', async () => {
  const held = Buffer.from('held by the enclave')
  const result = await client().attestSgxEnclave(evidence('sgx', bound(held)), { runTimeData: held })
  assert.deepEqual(Buffer.from(result.body.enclaveHeldData), held)
})

test('SGX: runtime data that the quote is not over is refused', async () => {
  const quote = evidence('sgx', bound('this'))
  await assert.rejects(client().attestSgxEnclave(quote, { runTimeData: Buffer.from('that') }), (error) => error.statusCode === 400)
})

test('SGX: an altered quote is refused', async () => {
  const quote = evidence('sgx', bound('data'))
  quote[112] ^= 1 // MRENCLAVE
  await assert.rejects(client().attestSgxEnclave(quote, { runTimeData: Buffer.from('data') }), (error) => error.statusCode === 400)
})

test('OpenEnclave: a report', async () => {
  const { runtime } = wrappingKey()
  const result = await client().attestOpenEnclave(openEnclave(evidence('sgx', bound(runtime))), { runTimeJson: Buffer.from(runtime) })
  assert.equal(claimsOf(result.token.serialize())['x-ms-attestation-type'], 'sgx')
})

test('a token with a wrong signature is rejected by the client', async () => {
  const { runtime } = wrappingKey()
  await fault('attest', { do: 'bad-signature' })
  await assert.rejects(client().attestSgxEnclave(evidence('sgx', bound(runtime)), { runTimeJson: Buffer.from(runtime) }))
})

test('certificates and metadata', async () => {
  const signers = await client().getAttestationSigners()
  assert.ok(signers.length >= 1)
  const metadata = await client().getOpenIdMetadata()
  assert.equal(metadata.issuer, lab.attestation)
})

test('SEV-SNP', async () => {
  const { runtime } = wrappingKey()
  const report = evidence('snp', bound(runtime))
  const thim = JSON.parse(evidence('snp-chain', Buffer.alloc(64)))
  const inner = JSON.stringify({ SnpReport: url64(report), VcekCertChain: url64(thim.vcekCert + thim.certificateChain) })
  const answer = await fetch(`${lab.attestation}/attest/SevSnpVm?api-version=2022-08-01`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ report: url64(inner), runtimeData: { data: url64(runtime), dataType: 'JSON' } }),
  })
  const { token } = await answer.json()
  assert.equal(answer.status, 200)
  const claims = claimsOf(token)
  assert.equal(claims['x-ms-attestation-type'], 'sevsnpvm')
  assert.equal(claims['x-ms-runtime'].keys[0].kid, 'TestKey')
})
