// Brings a lab up, runs the tests against it, takes it down. The last line is "N passed, N failed, N skipped".
//
//   SKRFS_BIN=PATH SKRFS_EVIDENCE=PATH node run.mjs [TEST...]
import { execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))
const skrfs = process.env.SKRFS_BIN
if (!skrfs) throw new Error('SKRFS_BIN is not set')
const folder = mkdtempSync(join(tmpdir(), 'skrfs-npm-'))
const lab = join(folder, 'lab')
const counts = { passed: 0, failed: 0, skipped: 0 }

// One file after the other: they change the one lab's settings.
async function runFile(name) {
  const child = spawn(process.execPath, ['--import', join(here, 'localhost.mjs'), '--test-reporter=tap', join(here, name)], {
    env: { ...process.env, NODE_EXTRA_CA_CERTS: join(lab, 'ca.pem'), SKRFS_LAB: lab },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = new Promise((resolve) => child.on('close', resolve))
  let seen = 0
  for await (const line of createInterface({ input: child.stdout })) {
    const result = /^(not )?ok \d+ - (.*)/.exec(line)
    if (!result) {
      if (!/^(TAP version|# |\d+\.\.\d+|\s+(---|\.\.\.|duration_ms|type:))/.test(line)) console.log(line)
      continue
    }
    seen += 1
    const kind = result[1] ? 'failed' : / # SKIP/.test(result[2]) ? 'skipped' : 'passed'
    counts[kind] += 1
    console.log(`${kind}: ${result[2]}`)
  }
  const status = await ended
  if (seen === 0 || (status !== 0 && counts.failed === 0)) {
    console.log(`failed: ${name} ended with ${status} after ${seen} tests`)
    counts.failed += 1
  }
}

try {
  execFileSync(skrfs, ['lab', 'up', '--dir', lab, '--no-throttle'], { stdio: ['ignore', 'ignore', 'inherit'] })
  const files = process.argv.slice(2)
  if (files.length === 0) files.push(...readdirSync(here).filter((name) => name.endsWith('.test.mjs')).sort())
  for (const name of files) await runFile(name)
} finally {
  execFileSync(skrfs, ['lab', 'down', '--dir', lab])
  rmSync(folder, { recursive: true, force: true })
}
console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`)
process.exitCode = counts.failed === 0 && counts.passed > 0 ? 0 : 1
