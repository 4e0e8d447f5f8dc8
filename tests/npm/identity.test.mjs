// @azure/identity's credentials, each proven by a key that it lists or reads.
import {
  ClientAssertionCredential,
  ClientCertificateCredential,
  ClientSecretCredential,
  ManagedIdentityCredential,
  WorkloadIdentityCredential,
} from '@azure/identity'
import assert from 'node:assert/strict'
import { before, beforeEach, test } from 'node:test'
import { authority, control, fault, keyClient, lab, read, reset, secretCredential, settings } from './lab.mjs'

const scope = 'https://vault.azure.net/.default'
const group = '/subscriptions/1ab00000-0000-4000-8000-00000000000c/resourceGroups/lab/providers/Microsoft.ManagedIdentity/userAssignedIdentities/'

before(() => keyClient().createEcKey('identity'))
beforeEach(reset)

async function opens(credential) {
  const key = await keyClient('vault', credential).getKey('identity')
  assert.equal(key.name, 'identity')
}

async function withEnvironment(values, body) {
  Object.assign(process.env, values)
  try {
    return await body()
  } finally {
    for (const name of Object.keys(values)) delete process.env[name]
  }
}
const atImds = (body) => withEnvironment({ AZURE_POD_IDENTITY_AUTHORITY_HOST: lab.imds }, body)

test('client secret', () => opens(secretCredential()))

test('client secret: a wrong one is AADSTS7000215', async () => {
  const credential = new ClientSecretCredential(lab.tenant, lab.client, 'wrong', authority)
  await assert.rejects(credential.getToken(scope), /AADSTS7000215/)
})

test('client secret: an unknown application is AADSTS700016', async () => {
  const credential = new ClientSecretCredential(lab.tenant, '1ab00000-0000-4000-8000-0000000000ff', 'x', authority)
  await assert.rejects(credential.getToken(scope), /AADSTS700016/)
})

test('client certificate', () =>
  opens(new ClientCertificateCredential(lab.tenant, lab.client, { certificatePath: lab['client-certificate-file'] }, authority)))

test('client certificate: from text, with the chain sent along', () =>
  opens(
    new ClientCertificateCredential(
      lab.tenant,
      lab.client,
      { certificate: read(lab['client-certificate-file']) },
      { ...authority, sendCertificateChain: true },
    ),
  ))

test('workload identity', () =>
  opens(new WorkloadIdentityCredential({ tenantId: lab.tenant, clientId: lab.client, tokenFilePath: lab['federated-token-file'], ...authority })))

test('workload identity: from the environment', () =>
  withEnvironment(
    { AZURE_TENANT_ID: lab.tenant, AZURE_CLIENT_ID: lab.client, AZURE_FEDERATED_TOKEN_FILE: lab['federated-token-file'], AZURE_AUTHORITY_HOST: lab.authority },
    () => opens(new WorkloadIdentityCredential({ disableInstanceDiscovery: true })),
  ))

test('client assertion: of an issuer that nobody trusts is AADSTS700211', async () => {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const token = `${part({ alg: 'RS256', typ: 'JWT' })}.${part({ iss: 'https://elsewhere.example', sub: 'x', aud: 'y', exp: 4e9 })}.AAAA`
  const credential = new ClientAssertionCredential(lab.tenant, lab.client, async () => token, authority)
  await assert.rejects(credential.getToken(scope), /AADSTS700211/)
})

test('managed identity: the machine\'s own', () => atImds(() => opens(new ManagedIdentityCredential())))

test('managed identity: by client, object and resource id', () =>
  atImds(async () => {
    await opens(new ManagedIdentityCredential({ clientId: '1ab00000-0000-4000-8000-0000000000b2' }))
    await opens(new ManagedIdentityCredential({ objectId: '1ab00000-0000-4000-8000-0000000000b1' }))
    await opens(new ManagedIdentityCredential({ resourceId: `${group}releaser` }))
  }))

test('managed identity: one that may read and not create', () =>
  atImds(async () => {
    const credential = new ManagedIdentityCredential({ clientId: '1ab00000-0000-4000-8000-0000000000d2' })
    await opens(credential)
    await assert.rejects(keyClient('vault', credential).createEcKey('refused'), (error) => {
      assert.equal(error.statusCode, 403)
      assert.match(error.message, /keys\/create\/action/)
      return true
    })
  }))

test('managed identity: one that is not assigned', () =>
  atImds(() => assert.rejects(opens(new ManagedIdentityCredential({ clientId: '1ab00000-0000-4000-8000-0000000000ff' })), /Identity not found|identity_not_found|400/i)))

test('managed identity: waits for an endpoint that is being updated', () =>
  atImds(async () => {
    await fault('imds-token', { status: 503, times: 1 })
    await opens(new ManagedIdentityCredential())
  }))

test('numbers and times of an access token', async () => {
  await settings({ access_life_s: 3600 })
  const token = await secretCredential().getToken(scope)
  assert.ok(Math.abs(token.expiresOnTimestamp - Date.now() - 3600e3) < 120e3)
})

test('a claims challenge is heeded', async () => {
  const client = keyClient()
  await client.getKey('identity')
  const logins = (await control('GET', 'counters')).login
  await fault('get', { do: 'claims-challenge' })
  assert.equal((await client.getKey('identity')).name, 'identity')
  assert.equal((await control('GET', 'counters')).login, logins + 1)
})

test('the host is checked before a token is asked for', async () => {
  const logins = (await control('GET', 'counters')).login
  const client = keyClient('vault', secretCredential(), { disableChallengeResourceVerification: false })
  await assert.rejects(client.getKey('identity'), /does not match the requested domain|challenge/i)
  assert.equal((await control('GET', 'counters')).login, logins)
})
