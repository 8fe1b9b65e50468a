import { useSignal } from '@preact/signals'
import { useEffect, useLayoutEffect, useMemo, useRef } from 'preact/hooks'
import { post } from '../api/client'
import type { Job, Message, Strategy, Thread } from '../api/types'
import { t } from '../i18n'
import { FollowedJob } from '../state/followed-job'
import { BASE } from '../state/route'
import { Button, Select, Status, When } from '../ui/basics'
import { attempt } from '../ui/toast'
import { InterruptForm } from './thread-interrupt'

const STRATEGIES: Strategy[] = ['enqueue', 'interrupt', 'rollback', 'reject']
type Run = Thread['pending'][number]

/** What was said, the answer as it is written, and the next message. */
export function Chat({ thread, said, onChanged }: { thread: Thread; said: Message[]; onChanged: () => void }) {
  const current = thread.pending.find((run) => run.status === 'running') ?? thread.pending[0]
  const rest = thread.pending.filter((run) => run !== current)
  const say = (content: string, strategy: Strategy) =>
    attempt(() => post(`/threads/${thread.id}/messages`, { content, strategy })).then((isDone) => { onChanged(); return isDone })
  return (
    <div class="chat">
      <Log said={[...said].reverse()} current={current} rest={rest} onEnded={onChanged} />
      <div>
        {thread.interrupt && <InterruptForm id={thread.id} interrupt={thread.interrupt} onDone={onChanged} />}
        <Composer isBusy={current !== undefined} onSend={say} />
      </div>
    </div>
  )
}

interface LogProps {
  said: Message[]
  current: Run | undefined
  rest: Run[]
  onEnded: () => void
}

function Log({ said, current, rest, onEnded }: LogProps) {
  const box = useRef<HTMLDivElement>(null)
  const toEnd = () => box.current?.scrollTo({ top: box.current.scrollHeight })
  const isSaid = (run: Run) => said.some((each) => each.job_id === run.job_id && each.role === 'user')
  useLayoutEffect(toEnd, [said.length, current?.job_id, rest.length])
  return (
    <div class="chat-log" role="log" aria-label={t('threads.log')} tabIndex={0} ref={box}>
      {said.map((each) => <Bubble key={each.id} message={each} />)}
      {current?.content && !isSaid(current) && <div class="bubble bubble-user"><span class="bubble-head">{t('threads.you')}</span>{current.content}</div>}
      {current && <Answering key={current.job_id} jobId={current.job_id} onText={toEnd} onEnded={onEnded} />}
      {rest.map((run) => <Waiting key={run.job_id} run={run} onChanged={onEnded} />)}
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
      {message.citations?.map((each) => <details key={each.number} class="more"><summary>[{each.number}] {each.document_name}{each.page ? `, ${t('collections.page', { n: each.page })}` : ''}</summary>{each.text}</details>)}
    </div>
  )
}

/** A message whose turn has not come. */
function Waiting({ run, onChanged }: { run: Run; onChanged: () => void }) {
  const stop = () => attempt(() => post<Job>(`/jobs/${run.job_id}/cancel`)).then(onChanged)
  return (
    <div class="bubble bubble-user bubble-waiting" data-waiting={run.job_id}>
      <span class="bubble-head">{t('threads.you')} <Status of={run.status} /> <Button look="quiet" icon="ban" onClick={() => void stop()}>{t('threads.withdraw')}</Button></span>
      {run.content}
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

function Composer({ isBusy, onSend }: { isBusy: boolean; onSend: (content: string, strategy: Strategy) => Promise<boolean> }) {
  const text = useSignal('')
  const strategy = useSignal<Strategy>('enqueue')
  const send = async () => {
    const content = text.value.trim()
    if (content && (await onSend(content, strategy.value))) text.value = ''
  }
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return // Hangul is still being put together
    event.preventDefault()
    void send()
  }
  return (
    <form class="chat-form" onSubmit={(event) => { event.preventDefault(); void send() }}>
      {isBusy && (
        <label class="chat-strategy">{t('threads.meanwhile')}{' '}
          <Select label={t('threads.meanwhile')} value={strategy.value} options={STRATEGIES.map((each) => [each, t(`strategy.${each}`)] as const)} onChange={(next) => (strategy.value = next as Strategy)} />
        </label>
      )}
      <textarea class="input" rows={2} aria-label={t('threads.message')} placeholder={t('threads.placeholder')} value={text.value} onInput={(event) => (text.value = event.currentTarget.value)} onKeyDown={onKeyDown} />
      <Button look="main" type="submit" icon="send" disabled={!text.value.trim()}>{t('word.send')}</Button>
    </form>
  )
}
