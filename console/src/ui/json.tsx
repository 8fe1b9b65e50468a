import { Button } from './basics'
import { t } from '../i18n'
import { say } from './toast'

const TOKEN = /("(?:\\.|[^"\\])*")(\s*:)?|\b(true|false|null)\b|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g
const MAX_COLOURED = 100_000

/** A value as indented JSON. */
export function JsonView({ value, label }: { value: unknown; label: string }) {
  const text = JSON.stringify(value, null, 2) ?? 'null'
  const copy = () => void navigator.clipboard?.writeText(text).then(() => say(t('word.copied')))
  return (
    <div class="json">
      <pre tabIndex={0} aria-label={label} role="region">{text.length > MAX_COLOURED ? text : colour(text)}</pre>
      <Button look="quiet" icon="copy" label={`${t('word.copy')}: ${label}`} onClick={copy} />
    </div>
  )
}

function colour(text: string) {
  const parts = []
  let end = 0
  for (const found of text.matchAll(TOKEN)) {
    parts.push(text.slice(end, found.index))
    const [whole, quoted, colon, word] = found
    const look = quoted ? (colon ? 'json-name' : 'json-text') : word ? 'json-word' : 'json-number'
    parts.push(<span class={look}>{quoted ?? whole}</span>, colon ?? '')
    end = found.index + whole.length
  }
  return [...parts, text.slice(end)]
}
