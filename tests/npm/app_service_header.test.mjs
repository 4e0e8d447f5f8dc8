// The same with a header that is not the host's. In a process of its own, as the client keeps what it read first.
import { ManagedIdentityCredential } from '@azure/identity'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { lab } from './lab.mjs'

process.env.IDENTITY_ENDPOINT = lab['app-service']
process.env.IDENTITY_HEADER = 'wrong'

test('App Service style endpoint: a wrong header', () =>
  assert.rejects(new ManagedIdentityCredential().getToken('https://vault.azure.net/.default')))
