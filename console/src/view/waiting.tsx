import { useEffect } from 'preact/hooks'
import type { Job, WaitFacts } from '../api/types'
import { ago, duration, number, t, tName } from '../i18n'
import { useResource } from '../state/resource'
import { BASE } from '../state/route'
import { shortId, Status } from '../ui/basics'
import { Icon } from '../ui/icon'
import { Remedy } from './remedy'

const INTERVAL = 2000

/** Why a queued job has not started, and the button that mends it where there is one. */
export function WhyItWaits({ job, onMended }: { job: Job; onMended: () => void }) {
  const facts = useResource<WaitFacts>(`/jobs/${job.id}/waiting`, {}, INTERVAL)
  const known = facts.data
  const waiting = known?.waiting ?? job.waiting
  useEffect(() => {
    if (known && known.status !== 'queued') onMended() // its event may still be on the way
  }, [known?.status])
  if (!waiting) return null
  return (
    <section class="callout callout-wait" aria-label={t('why.title')}>
      <Icon name="clock" size={18} />
      <div>
        <h2>{t('why.title')}</h2>
        <p data-why={waiting.reason}>{explain(waiting.reason, waiting.until ? ago(waiting.until) : '', job.queue)}</p>
        {waiting.message && <p class="faint">{waiting.message}</p>}
        {known && <Facts facts={known} />}
      </div>
      <Remedy reason={waiting.reason} queue={job.queue} onMended={() => { facts.reload(); onMended() }} />
    </section>
  )
}

function Facts({ facts }: { facts: WaitFacts }) {
  return (
    <>
      {facts.position !== null && (
        <p class="faint">
          {t(facts.is_position_exact ? 'why.position' : 'why.positionAtLeast', { n: number(facts.position) })}
          {facts.estimate !== null && <> {t('why.estimate', { time: duration(facts.estimate) })}</>}
        </p>
      )}
      {facts.limits.map((limit) => (
        <p class="faint" key={limit.scope + (limit.key ?? '')}>
          {t('why.limit', { scope: tName('limit', limit.scope), key: limit.key ?? '', running: limit.running, limit: limit.limit })}{' '}
          {limit.holders.map((id) => <a class="tag" key={id} href={`${BASE}/jobs/${id}`}><code>{shortId(id)}</code></a>)}
        </p>
      ))}
      {facts.awaits.length > 0 && (
        <ul class="awaits">
          {facts.awaits.map((each) => <li key={each.id}><Status of={each.status} /> <a href={`${BASE}/jobs/${each.id}`}>{each.kind} <code>{shortId(each.id)}</code></a></li>)}
        </ul>
      )}
    </>
  )
}

function explain(reason: NonNullable<Job['waiting']>['reason'], until: string, queue: string): string {
  switch (reason) {
    case 'schedule':
    case 'retry':
    case 'snoozed':
      return t(`why.${reason}`, { until })
    case 'rate':
    case 'budget':
    case 'cooldown':
      return until ? `${t(`why.${reason}`)} ${t('why.until', { until })}` : t(`why.${reason}`)
    default:
      return t(`why.${reason}`, { queue })
  }
}
