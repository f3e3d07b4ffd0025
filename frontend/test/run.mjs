// Bundles the tests in this folder, because Node.js 18 reads no TypeScript, and runs them with its own test runner.
import { spawnSync } from 'node:child_process'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const here = dirname(fileURLToPath(import.meta.url))
const names = await found(here)
const target = await mkdtemp(join(here, '../node_modules/.test-'))
try {
  await build({
    entryPoints: names,
    outdir: target,
    outbase: here,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node18',
    jsx: 'automatic',
    jsxImportSource: 'preact',
  })
  const built = names.map((name) => join(target, relative(here, name).replace(/\.ts$/, '.mjs')))
  process.exitCode = spawnSync(process.execPath, ['--test', ...built], { stdio: 'inherit' }).status ?? 1
} finally {
  await rm(target, { recursive: true })
}

async function found(folder) {
  const entries = await readdir(folder, { withFileTypes: true })
  const inside = entries.map((entry) => {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return found(path)
    return entry.name.endsWith('.test.ts') ? [path] : []
  })
  return (await Promise.all(inside)).flat()
}
