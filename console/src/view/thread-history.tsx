import { useSignal } from '@preact/signals'
import { post } from '../api/client'
import type { Checkpoint, ThreadState, Thread } from '../api/types'
import { t } from '../i18n'
import { usePages, useResource } from '../state/resource'
import { BASE } from '../state/route'
import { Button, Dialog, Facts, Field, Loading, ProblemBox, shortId, When } from '../ui/basics'
import { FormDialog } from '../ui/form-dialog'
import { JsonView } from '../ui/json'
import { say } from '../ui/toast'

/** The checkpoints of a thread, newest first: look into each, or go on from it in a thread of its own. */
export function History({ id, onForked }: { id: string; onForked: (made: string) => void }) {
  const page = usePages<Checkpoint>(`/threads/${id}/history`, { limit: 50 }, 5000)
  const shown = useSignal<Checkpoint | null>(null)
  const forking = useSignal<Checkpoint | null>(null)
  if (!page.items.length) {
    if (page.problem) return <ProblemBox problem={page.problem} onRetry={page.reload} />
    return page.isLoading ? <Loading /> : <p class="card-quiet">{t('threads.noHistory')}</p>
  }
  return (
    <div class="card-scroll">
      <table class="grid" aria-label={t('threads.history')}>
        <thead><tr><th class="num">{t('threads.step')}</th><th>{t('threads.source')}</th><th>{t('threads.next')}</th><th class="num">{t('threads.messages')}</th><th>{t('threads.job')}</th><th>{t('word.time')}</th><th><span class="hidden">{t('word.actions')}</span></th></tr></thead>
        <tbody>
          {page.items.map((each) => (
            <tr key={each.checkpoint_id} data-checkpoint={each.checkpoint_id}>
              <td class="num">{each.step}</td>
              <td>{each.source}</td>
              <td>{each.next.length ? each.next.map((node) => <span class="tag" key={node}>{node}</span>) : <span class="faint">{t('threads.end')}</span>}{each.interrupt && <span class="note note-warn">{t('threads.waits')}</span>}</td>
              <td class="num">{each.message_count}</td>
              <td><a href={`${BASE}/jobs/${each.job_id}`}><code>{shortId(each.job_id)}</code></a></td>
              <td><When at={each.created_at} /></td>
              <td class="cell-actions">
                <Button icon="search" aria-label={t('threads.stateOf', { step: each.step })} onClick={() => (shown.value = each)}>{t('threads.state')}</Button>
                <Button icon="fork" aria-label={t('threads.forkAt', { step: each.step })} onClick={() => (forking.value = each)}>{t('threads.fork')}</Button>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {page.hasMore && <div class="table-foot"><Button onClick={page.more}>{t('word.more')}</Button></div>}
      {shown.value && <StateDialog id={id} checkpoint={shown.value} onClose={() => (shown.value = null)} />}
      {forking.value && <ForkDialog id={id} checkpoint={forking.value} onClose={() => (forking.value = null)} onForked={onForked} />}
    </div>
  )
}

function StateDialog({ id, checkpoint, onClose }: { id: string; checkpoint: Checkpoint; onClose: () => void }) {
  const state = useResource<ThreadState>(`/threads/${id}/state`, { checkpoint_id: checkpoint.checkpoint_id })
  return (
    <Dialog title={t('threads.stateOf', { step: checkpoint.step })} onClose={onClose} wide>
      <div class="dialog-body">
        <ProblemBox problem={state.problem} />
        {!state.data && !state.problem && <Loading />}
        {state.data && (
          <>
            <Facts items={[
              [t('word.id'), <code>{checkpoint.checkpoint_id}</code>],
              [t('threads.next'), checkpoint.next.join(', ') || t('threads.end')],
              [t('threads.messages'), state.data.messages.length],
            ]} />
            <ol class="plain state-messages">{state.data.messages.map((each) => <li key={each.id}><b>{each.role}</b> <span>{each.content}</span></li>)}</ol>
            <JsonView value={state.data.checkpoint?.values ?? {}} label={t('threads.values')} />
          </>
        )}
      </div>
      <footer class="dialog-foot"><Button look="main" onClick={onClose}>{t('word.close')}</Button></footer>
    </Dialog>
  )
}

function ForkDialog({ id, checkpoint, onClose, onForked }: { id: string; checkpoint: Checkpoint; onClose: () => void; onForked: (made: string) => void }) {
  return (
    <FormDialog
      title={t('threads.forkAt', { step: checkpoint.step })} action={t('threads.fork')} onClose={onClose}
      onSend={async (given) => {
        const { thread } = await post<{ thread: Thread }>(`/threads/${id}/fork`, { checkpoint_id: checkpoint.checkpoint_id, title: given.text('title') })
        say(t('threads.wasForked'))
        onClose()
        onForked(thread.id)
      }}
    >
      <p>{t('threads.forkText')}</p>
      <Field label={t('threads.name')}>{(field) => <input id={field} class="input" name="title" maxLength={200} />}</Field>
    </FormDialog>
  )
}
