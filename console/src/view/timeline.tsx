import type { JobEvent } from '../api/types'
import { clock, moment, number, t, tName, type Key } from '../i18n'
import { en } from '../i18n/en'
import type { FollowedJob, Step } from '../state/followed-job'

const TONES: Record<string, string> = {
  'job.queued': 'wait', 'job.started': 'run', 'job.retrying': 'warn', 'job.cancelling': 'warn', 'job.succeeded': 'good', 'job.failed': 'bad',
  'job.cancelled': 'off', 'job.expired': 'warn',
}

/** What happened to a job, oldest first. */
export function Timeline({ followed }: { followed: FollowedJob }) {
  return (
    <ol class="timeline">
      {followed.hasGap.value && <li class="step step-gap">{t('job.gap')}</li>}
      {followed.steps.value.map((step) => <StepLine key={`${step.event.epoch}${step.event.seq}`} step={step} />)}
    </ol>
  )
}

function StepLine({ step: { event, count } }: { step: Step }) {
  return (
    <li class={`step tone-${TONES[event.type] ?? 'off'}`} data-event={event.type}>
      <span class="step-dot" aria-hidden="true" />
      <span class="step-text"><b>{name(event, count)}</b><Detail event={event} /></span>
      <time dateTime={event.ts} title={moment(event.ts)}>{clock(event.ts)}</time>
    </li>
  )
}

function name({ type, data, attempt }: JobEvent, count: number): string {
  if (type === 'job.started') return t('event.started', { n: attempt })
  if (type === 'job.progress') return t('event.progress', { percent: typeof data.fraction === 'number' ? `${number(data.fraction * 100)} %` : '' })
  if (type === 'llm.delta') return t('event.text', { n: count })
  if (type === 'llm.reset') return t('event.reset')
  const key = `event.${type.replace('job.', '')}`
  return type.startsWith('job.') && key in en ? t(key as Key) : type
}

function Detail({ event: { type, data } }: { event: JobEvent }) {
  const error = data.error as { code?: string; message?: string } | undefined
  if (error) return <span class="step-more"><code>{error.code}</code> {error.message}</span>
  if (type === 'job.retrying') return <span class="step-more">{tName('status', String(data.reason ?? ''))}</span>
  if (type === 'job.progress' && data.message) return <span class="step-more">{String(data.message)}</span>
  if (type.startsWith('job.') || type.startsWith('llm.')) return null
  return <span class="step-more"><code>{JSON.stringify(data).slice(0, 200)}</code></span>
}
