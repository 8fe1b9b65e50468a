import { createHash } from 'node:crypto'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { defineConfig, type Plugin } from 'vite'

/** Leaves the digest of all sources beside the build, so that a stale build is noticed without Node. */
function digestOfSources(): Plugin {
  return {
    name: 'digest-of-sources',
    generateBundle() {
      const roots = ['index.html', 'package.json', 'package-lock.json', 'tsconfig.json', 'vite.config.ts']
      const listed = readdirSync('src', { recursive: true, withFileTypes: true })
      const files = listed.filter((entry) => entry.isFile() && entry.name !== 'schema.d.ts')
      const paths = [...roots, ...files.map((file) => join(file.parentPath, file.name))].sort()
      const digest = createHash('sha256')
      for (const path of paths) digest.update(`${path}\0`).update(readFileSync(path)).update('\0')
      this.emitFile({ type: 'asset', fileName: 'sources.sha256', source: `${digest.digest('hex')}\n` })
    },
  }
}

/** The licences of the fonts; Vite gathers those of code alone. */
function licencesOfFonts(): Plugin {
  const fonts = ['@fontsource-variable/inter', '@fontsource-variable/jetbrains-mono']
  return {
    name: 'licences-of-fonts',
    generateBundle() {
      const texts = fonts.map((font) => `# ${font}\n\n${readFileSync(join('node_modules', font, 'LICENSE'), 'utf8')}`)
      this.emitFile({ type: 'asset', fileName: 'licenses-fonts.md', source: texts.join('\n') })
    },
  }
}

export default defineConfig({
  base: '/console/',
  build: {
    outDir: '../api/console/static',
    emptyOutDir: true,
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    license: { fileName: 'licenses.md' },
    reportCompressedSize: false,
  },
  plugins: [digestOfSources(), licencesOfFonts()],
  server: { proxy: { '/api': 'http://127.0.0.1:8000', '/socket.io': { target: 'http://127.0.0.1:8000', ws: true } } },
})
