// Builds the pages into airflow_imagebuilder/ui/static; with --check it compares what is built with what is there.
import { readFile, readdir, writeFile } from 'node:fs/promises'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const here = dirname(fileURLToPath(import.meta.url))
const target = resolve(here, '../airflow_imagebuilder/ui/static')

const built = await build({
  absWorkingDir: here,
  entryPoints: { imagebuilder: 'src/main.tsx' },
  outdir: target,
  bundle: true,
  format: 'esm',
  target: 'es2022',
  minify: true,
  metafile: true,
  write: false,
  legalComments: 'none',
  jsx: 'automatic',
  jsxImportSource: 'preact',
  define: { 'process.env.NODE_ENV': '"production"' },
})

const files = new Map(built.outputFiles.map((file) => [relative(target, file.path), Buffer.from(file.contents)]))
files.set('LICENSES.txt', Buffer.from(await licenses(Object.keys(built.metafile.inputs))))

if (process.argv.includes('--check')) {
  const differing = []
  for (const [name, contents] of files) {
    const there = await readFile(join(target, name)).catch(() => null)
    if (!there?.equals(contents)) differing.push(name)
  }
  if (differing.length) {
    console.error(`Not built from these sources: ${differing.join(', ')}. Run make ui, and commit what it builds.`)
    process.exit(1)
  }
  console.log(`${[...files.keys()].sort().join(', ')}: as built from frontend/`)
} else {
  for (const [name, contents] of files) await writeFile(join(target, name), contents)
  for (const [name, contents] of files) console.log(`${name}: ${contents.length} bytes`)
}

// The licences of all packages of which something is in the bundle; a package without the text of one fails the build.
async function licenses(inputs) {
  const folders = new Set()
  for (const input of inputs) {
    // The innermost one: a package may have its own version of another one below it.
    const found = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input)
    if (found) folders.add(found[1])
  }
  const texts = []
  for (const path of [...folders].sort()) {
    const folder = join(here, path)
    const { name, version, license } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'))
    const file = (await readdir(folder)).sort().find((entry) => /^licen[cs]e/i.test(entry))
    const text = file ? (await readFile(join(folder, file), 'utf8')).trim() : ''
    if (!text) throw new Error(`${name} ${version} is in the bundle, and its package has no text of a licence.`)
    texts.push(`${name} ${version} (${license})\n\n${text.replaceAll('\r\n', '\n')}\n`)
  }
  return texts.join(`\n${'-'.repeat(80)}\n\n`)
}
