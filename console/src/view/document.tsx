import { download } from '../api/client'
import type { Doc } from '../api/types'
import { bytes, t } from '../i18n'
import { BASE } from '../state/route'
import { Button, Status, When } from '../ui/basics'
import { attempt } from '../ui/toast'

/** One document in the list of its collection; while its job indexes it, how far that is. Only its owner sees that job. */
export function DocumentRow({ document, path, onRemove }: { document: Doc; path: string; onRemove?: (path: string) => void }) {
  const { name, status, error, progress, passages } = document
  const fraction = status !== 'ready' && typeof progress?.fraction === 'number' ? progress.fraction : null
  return (
    <tr data-document={name}>
      <td class="cell-wide"><b>{name}</b></td>
      <td>
        {onRemove ? <a href={`${BASE}/jobs/${document.job_id}`}><Status of={status} /></a> : <Status of={status} />}
        {fraction !== null && !error && <progress class="bar" max={1} value={fraction} aria-label={`${t('job.progress')}: ${name}`} />}
        {error && <span class="note note-bad">{String(error.message ?? error.code ?? '')}</span>}
      </td>
      <td class="num">{bytes(document.size)}</td>
      <td class="num">{passages ?? <span class="faint">–</span>}</td>
      <td><When at={document.updated_at} /></td>
      <td class="cell-actions">
        <Button icon="download" label={t('collections.download', { name })} onClick={() => void attempt(() => download(`${path}/content`, name))} />
        {onRemove && <Button icon="trash" label={t('collections.delete', { name })} onClick={() => onRemove(path)} />}
      </td>
    </tr>
  )
}
