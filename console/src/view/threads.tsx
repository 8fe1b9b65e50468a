import { useSignal } from '@preact/signals'
import { useEffect, useLayoutEffect, useMemo, useRef } from 'preact/hooks'
import { call, post } from '../api/client'
import type { Job, Message, Thread } from '../api/types'
import { t } from '../i18n'
import { FollowedJob } from '../state/followed-job'
import { usePages, useResource } from '../state/resource'
import { BASE, go, route } from '../state/route'
import { Button, Card, Confirm, Empty, Loading, ProblemBox, shortId, Status, ViewHead, When } from '../ui/basics'
import { attempt } from '../ui/toast'

/** Conversations with the agent. */
export function ThreadsView() {
  const page = usePages<Thread>('/threads', { limit: 50 })
  const id = route.value.parts[1]
  const begin = () => attempt(async () => {
    const thread = await post<Thread>('/threads', {})
    page.reload()
    go(`/threads/${thread.id}`)
  })
  return (
    <div class="view">
      <ViewHead title={t('threads.title')}><Button look="main" icon="plus" onClick={() => void begin()}>{t('threads.create')}</Button></ViewHead>
      <ProblemBox problem={page.problem} onRetry={page.reload} />
      {!page.items.length && !id && (page.isLoading ? <Loading /> : !page.problem && <Empty title={t('threads.empty')} text={t('threads.emptyText')} icon="chat" />)}
      {(page.items.length > 0 || id) && (
        <div class="split">
          <nav class="split-list" aria-label={t('threads.list')}>
            {page.items.map((each) => (
              <a key={each.id} class="item" href={`${BASE}/threads/${each.id}`} aria-current={each.id === id ? 'true' : undefined} data-thread={each.id}>
                <span class="item-head"><b>{titleOf(each)}</b><When at={each.updated_at} /></span>
                <span class="item-text">{each.flow} · {each.message_count}</span>
              </a>
            ))}
            {page.hasMore && <div class="table-foot"><Button onClick={page.more}>{t('word.more')}</Button></div>}
          </nav>
          {id ? <Chat key={id} id={id} onChanged={page.reload} /> : <Empty title={t('threads.choose')} icon="chat" />}
        </div>
      )}
    </div>
  )
}

const titleOf = (thread: Thread): string => thread.title ?? t('threads.untitled', { id: shortId(thread.id) })

function Chat({ id, onChanged }: { id: string; onChanged: () => void }) {
  const thread = useResource<Thread>(`/threads/${id}`)
  const messages = useResource<{ items: Message[] }>(`/threads/${id}/messages`, { limit: 100 })
  const isRemoving = useSignal(false)
  const current = thread.data?.pending.find((run) => run.status === 'running') ?? thread.data?.pending[0]
  const reload = () => { thread.reload(); messages.reload(); onChanged() }
  const said = [...(messages.data?.items ?? [])].reverse()
  const say = (content: string) => attempt(() => post(`/threads/${id}/messages`, { content, strategy: 'enqueue' })).then((isDone) => { reload(); return isDone })
  const remove = () => attempt(() => call('DELETE', `/threads/${id}`)).then(() => { go('/threads'); onChanged() })
  if (!thread.data) return thread.problem ? <ProblemBox problem={thread.problem} /> : <Loading />
  return (
    <Card class="chat-card" title={titleOf(thread.data)} extra={<Button look="quiet" icon="trash" label={t('threads.delete')} onClick={() => (isRemoving.value = true)} />}>
      <div class="chat">
        <Log said={said} pending={current && !said.some((each) => each.job_id === current.job_id && each.role === 'user') ? current.content : null} jobId={current?.job_id ?? null} onEnded={reload} />
        <div>
          {thread.data.interrupt && <Interrupt id={id} interrupt={thread.data.interrupt} onDone={reload} />}
          <Composer onSend={say} />
        </div>
      </div>
      {isRemoving.value && <Confirm text={t('threads.confirmDelete')} action={t('threads.delete')} onConfirm={() => void remove()} onClose={() => (isRemoving.value = false)} />}
    </Card>
  )
}

interface LogProps {
  said: Message[]
  pending: string | null
  jobId: string | null
  onEnded: () => void
}

function Log({ said, pending, jobId, onEnded }: LogProps) {
  const box = useRef<HTMLDivElement>(null)
  const toEnd = () => box.current?.scrollTo({ top: box.current.scrollHeight })
  useLayoutEffect(toEnd, [said.length, jobId])
  return (
    <div class="chat-log" role="log" aria-label={t('threads.log')} tabIndex={0} ref={box}>
      {said.map((each) => <Bubble key={each.id} message={each} />)}
      {pending && <div class="bubble bubble-user"><span class="bubble-head">{t('threads.you')}</span>{pending}</div>}
      {jobId && <Answering key={jobId} jobId={jobId} onText={toEnd} onEnded={onEnded} />}
    </div>
  )
}

const WHO: Record<string, 'threads.you' | 'threads.assistant' | 'threads.tool' | 'threads.system'> = {
  user: 'threads.you', human: 'threads.you', assistant: 'threads.assistant', ai: 'threads.assistant', tool: 'threads.tool', system: 'threads.system',
}

function Bubble({ message }: { message: Message }) {
  const look = WHO[message.role]?.replace('threads.', '').replace('you', 'user') ?? 'assistant'
  return (
    <div class={`bubble bubble-${look}`} data-role={message.role}>
      <span class="bubble-head">
        {WHO[message.role] ? t(WHO[message.role] as 'threads.you') : message.role} <When at={message.created_at} />
        {message.job_id && look === 'assistant' && <a href={`${BASE}/jobs/${message.job_id}`}>{t('threads.job')}</a>}
      </span>
      {message.content}
      {message.citations?.map((each) => <details key={each.number} class="more"><summary>[{each.number}] {each.document_name}</summary>{each.text}</details>)}
    </div>
  )
}

/** The answer as it is written. */
function Answering({ jobId, onText, onEnded }: { jobId: string; onText: () => void; onEnded: () => void }) {
  const followed = useMemo(() => new FollowedJob(jobId), [jobId])
  useEffect(() => () => followed.close(), [followed])
  const job = followed.job.value
  const isOver = job !== null && !['queued', 'running'].includes(job.status)
  useEffect(() => {
    if (isOver) onEnded()
  }, [isOver])
  useLayoutEffect(onText, [followed.text.value])
  const error = job?.error as { message?: string } | null
  const stop = () => void attempt(() => post<Job>(`/jobs/${jobId}/cancel`))
  return (
    <div class="bubble bubble-assistant" data-answering={jobId}>
      <span class="bubble-head">{t('threads.assistant')} {job && <Status of={job.status} />} <a href={`${BASE}/jobs/${jobId}`}>{t('threads.job')}</a></span>
      <span>{followed.text.value}{!isOver && <span class="caret" aria-hidden="true" />}</span>
      {isOver && error && <span>{t('threads.failed', { error: error.message ?? '' })}</span>}
      {!isOver && <Button look="quiet" icon="ban" onClick={stop}>{t('threads.stop')}</Button>}
    </div>
  )
}

function Composer({ onSend }: { onSend: (content: string) => Promise<boolean> }) {
  const text = useSignal('')
  const send = async () => {
    const content = text.value.trim()
    if (content && (await onSend(content))) text.value = ''
  }
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return // Hangul is still being put together
    event.preventDefault()
    void send()
  }
  return (
    <form class="chat-form" onSubmit={(event) => { event.preventDefault(); void send() }}>
      <textarea class="input" rows={2} aria-label={t('threads.message')} placeholder={t('threads.placeholder')} value={text.value} onInput={(event) => (text.value = event.currentTarget.value)} onKeyDown={onKeyDown} />
      <Button look="main" type="submit" icon="send" disabled={!text.value.trim()}>{t('word.send')}</Button>
    </form>
  )
}

/** A run that waits for a person: answer, approve or let it go on. */
function Interrupt({ id, interrupt, onDone }: { id: string; interrupt: NonNullable<Thread['interrupt']>; onDone: () => void }) {
  const answer = useSignal('')
  const resume = (body: object) => attempt(() => post(`/threads/${id}/resume`, body)).then(onDone)
  return (
    <div class="callout callout-wait interrupt">
      <div>
        <p>{interrupt.question ?? interrupt.node}</p>
        {interrupt.expects === 'text' && <input class="input" aria-label={t('threads.answer')} value={answer.value} onInput={(event) => (answer.value = event.currentTarget.value)} />}
      </div>
      {interrupt.expects === 'approval' && <Button icon="x" onClick={() => void resume({ approved: false })}>{t('threads.refuse')}</Button>}
      {interrupt.expects === 'approval' && <Button look="main" icon="check" onClick={() => void resume({ approved: true })}>{t('threads.approve')}</Button>}
      {interrupt.expects === 'text' && <Button look="main" disabled={!answer.value.trim()} onClick={() => void resume({ answer: answer.value })}>{t('threads.answer')}</Button>}
      {interrupt.expects === 'nothing' && <Button look="main" icon="play" onClick={() => void resume({})}>{t('threads.goOn')}</Button>}
    </div>
  )
}
