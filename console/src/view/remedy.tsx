import type { ComponentChildren } from 'preact'
import { post } from '../api/client'
import type { Job } from '../api/types'
import { t } from '../i18n'
import { hasFeature } from '../state/features'
import { BASE } from '../state/route'
import { isOperator } from '../state/session'
import { Button, CopyText } from '../ui/basics'
import { attempt } from '../ui/toast'

type Reason = NonNullable<Job['waiting']>['reason']

/** Where a job's reason to wait is mended, below /console; null where only time or somebody else does. */
export function remedyPath(reason: Reason, queue: string): string | null {
  const at = encodeURIComponent(queue)
  if (!isOperator()) return null
  if (['paused', 'no_worker', 'queue', 'concurrency', 'unknown_kind'].includes(reason)) return hasFeature('ops') ? `/queues?queue=${at}` : null
  if (reason === 'budget') return hasFeature('budgets') ? '/budgets' : null
  if (reason === 'rate') return hasFeature('usage') ? '/usage?by=model' : null
  return null
}

/** What mends it: a button where one click does, else a link to where it is done, or a word on who can. */
export function Remedy({ reason, queue, onMended }: { reason: Reason; queue: string; onMended: () => void }) {
  const path = remedyPath(reason, queue)
  if (reason === 'paused' && path) {
    const resume = () => attempt(() => post(`/ops/queues/${encodeURIComponent(queue)}/resume`), t('why.resumed', { queue })).then(onMended)
    return <Actions><Button look="main" icon="play" onClick={() => void resume()}>{t('why.resume', { queue })}</Button><Link to={path}>{t('why.openQueue')}</Link></Actions>
  }
  if (reason === 'no_worker' && path) return <Actions><CopyText text={`letuin worker --queues ${queue}`} /><Link to={path}>{t('why.openQueue')}</Link></Actions>
  if ((reason === 'queue' || reason === 'concurrency') && path) return <Actions><Link to={path}>{t('why.raise')}</Link></Actions>
  if (reason === 'budget' && path) return <Actions><Link to={path}>{t('why.openBudgets')}</Link></Actions>
  if (reason === 'rate' && path) return <Actions><Link to={path}>{t('why.openUsage')}</Link></Actions>
  if (reason === 'unknown_kind' && path) return <Actions><Link to={path}>{t('why.openQueue')}</Link></Actions>
  if (['paused', 'no_worker', 'budget', 'unknown_kind'].includes(reason)) return <p class="faint">{t('why.askOperator')}</p>
  return null
}

const Actions = ({ children }: { children: ComponentChildren }) => <div class="callout-actions">{children}</div>
const Link = ({ to, children }: { to: string; children: ComponentChildren }) => <a class="button" href={`${BASE}${to}`}>{children}</a>
