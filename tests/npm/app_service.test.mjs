// Managed identities where IDENTITY_ENDPOINT says so. In a process of its own: the client looks at its environment once.
import { ManagedIdentityCredential } from '@azure/identity'
import assert from 'node:assert/strict'
import { before, beforeEach, test } from 'node:test'
import { fault, keyClient, lab, read, reset } from './lab.mjs'

process.env.IDENTITY_ENDPOINT = lab['app-service']
process.env.IDENTITY_HEADER = read(lab['identity-header-file'])
const scope = 'https://vault.azure.net/.default'

before(() => keyClient().createEcKey('app-service'))
beforeEach(reset)

test('App Service style endpoint: the host\'s own identity', async () => {
  const key = await keyClient('vault', new ManagedIdentityCredential()).getKey('app-service')
  assert.equal(key.name, 'app-service')
})

test('App Service style endpoint: by client and resource id', async () => {
  for (const id of [{ clientId: '1ab00000-0000-4000-8000-0000000000b2' }, { resourceId: `${GROUP}releaser` }]) {
    const token = await new ManagedIdentityCredential(id).getToken(scope)
    const claims = JSON.parse(Buffer.from(token.token.split('.')[1], 'base64url'))
    assert.equal(claims.oid, '1ab00000-0000-4000-8000-0000000000b1')
  }
})
const GROUP = '/subscriptions/1ab00000-0000-4000-8000-00000000000c/resourceGroups/lab/providers/Microsoft.ManagedIdentity/userAssignedIdentities/'

test('App Service style endpoint: one that is not assigned', () =>
  assert.rejects(new ManagedIdentityCredential({ clientId: '1ab00000-0000-4000-8000-0000000000ff' }).getToken(scope)))

test('App Service style endpoint: asked again after 500', async () => {
  await fault('imds-token', { status: 500 })
  assert.ok(await new ManagedIdentityCredential({ clientId: '1ab00000-0000-4000-8000-0000000000d2' }).getToken(scope))
})
