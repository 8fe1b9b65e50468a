import { useSignal } from '@preact/signals'
import { call } from '../api/client'
import type { Collection, Message, Thread } from '../api/types'
import { t } from '../i18n'
import { useResource } from '../state/resource'
import { BASE, go } from '../state/route'
import { Button, Card, Confirm, Field, Loading, ProblemBox, Segmented, Select, shortId } from '../ui/basics'
import { FormDialog } from '../ui/form-dialog'
import { attempt } from '../ui/toast'
import { Chat } from './thread-chat'
import { History } from './thread-history'

export const titleOf = (thread: Thread): string => thread.title ?? t('threads.untitled', { id: shortId(thread.id) })

/** One conversation: what is said, and the checkpoints behind it. */
export function ThreadCard({ id, onChanged }: { id: string; onChanged: () => void }) {
  const thread = useResource<Thread>(`/threads/${id}`)
  const messages = useResource<{ items: Message[] }>(`/threads/${id}/messages`, { limit: 100 })
  const look = useSignal('chat')
  const dialog = useSignal<'none' | 'edit' | 'delete'>('none')
  const close = () => (dialog.value = 'none')
  const reload = () => { thread.reload(); messages.reload(); onChanged() }
  const remove = () => attempt(() => call('DELETE', `/threads/${id}`)).then(() => { go('/threads'); onChanged() })
  if (!thread.data) return thread.problem ? <ProblemBox problem={thread.problem} /> : <Loading />
  const from = thread.data.forked_from
  const title = <>{titleOf(thread.data)}{from && <a class="note" href={`${BASE}/threads/${from}`}>{t('threads.forkedFrom', { id: shortId(from) })}</a>}</>
  return (
    <Card
      class="chat-card" title={title}
      extra={(
        <span class="card-actions">
          <Segmented label={t('threads.look')} value={look.value} options={[['chat', t('threads.chat')], ['history', t('threads.history')]]} onChange={(next) => (look.value = next)} />
          <Button look="quiet" icon="edit" label={t('threads.edit')} onClick={() => (dialog.value = 'edit')} />
          <Button look="quiet" icon="trash" label={t('threads.delete')} onClick={() => (dialog.value = 'delete')} />
        </span>
      )}
    >
      {look.value === 'chat'
        ? <Chat thread={thread.data} said={messages.data?.items ?? []} onChanged={reload} />
        : <History id={id} onForked={(made) => { onChanged(); go(`/threads/${made}`) }} />}
      {dialog.value === 'edit' && <EditDialog thread={thread.data} onClose={close} onDone={reload} />}
      {dialog.value === 'delete' && <Confirm text={t('threads.confirmDelete')} action={t('threads.delete')} onConfirm={() => void remove()} onClose={close} />}
    </Card>
  )
}

function EditDialog({ thread, onClose, onDone }: { thread: Thread; onClose: () => void; onDone: () => void }) {
  const collections = useResource<{ items: Collection[] }>('/collections', { limit: 100 })
  const collection = useSignal(thread.collection_id ?? '')
  const options = [['', t('word.none')] as const, ...(collections.data?.items ?? []).map((each) => [each.id, each.name] as const)]
  return (
    <FormDialog
      title={t('threads.edit')} action={t('word.save')} onClose={onClose}
      onSend={async (given) => {
        await call('PATCH', `/threads/${thread.id}`, { body: { title: given.text('title'), collection_id: collection.value || null } })
        onClose()
        onDone()
      }}
    >
      <Field label={t('threads.name')}>{(id) => <input id={id} class="input" name="title" maxLength={200} defaultValue={thread.title ?? ''} />}</Field>
      <Field label={t('threads.collection')}>{(id) => <Select id={id} label={t('threads.collection')} value={collection.value} options={options} onChange={(next) => (collection.value = next)} />}</Field>
    </FormDialog>
  )
}
