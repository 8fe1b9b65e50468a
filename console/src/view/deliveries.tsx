import { useSignal } from '@preact/signals'
import { post } from '../api/client'
import type { Delivery } from '../api/types'
import { clock, duration, t, tName } from '../i18n'
import { usePages } from '../state/resource'
import { BASE } from '../state/route'
import { Button, Card, ProblemBox, Segmented, shortId, Status, When } from '../ui/basics'
import { JsonView } from '../ui/json'
import { attempt } from '../ui/toast'

const STATUSES = ['pending', 'delivered', 'failed'] as const
const INTERVAL = 3000

/** What an endpoint was told, with every call of it. */
export function Deliveries({ path, mayReplay }: { path: string; mayReplay: boolean }) {
  const status = useSignal('')
  const page = usePages<Delivery>(`${path}/deliveries`, { status: status.value, limit: 50 }, INTERVAL)
  const opened = useSignal<string | null>(null)
  const replay = (delivery: Delivery) => attempt(() => post(`${path}/deliveries/${delivery.id}/replay`), t('webhooks.replayed')).then(page.reload)
  return (
    <Card title={t('webhooks.deliveries')} extra={<Segmented label={t('word.status')} value={status.value} options={[['', t('word.all')], ...STATUSES.map((each) => [each, tName('status', each)] as const)]} onChange={(next) => (status.value = next)} />}>
      <ProblemBox problem={page.problem} onRetry={page.reload} />
      {page.items.length === 0 ? !page.isLoading && <p class="card-quiet">{t('webhooks.noDeliveries')}</p> : (
        <div class="card-scroll">
          <table class="grid" aria-label={t('webhooks.deliveries')}>
            <thead><tr><th>{t('webhooks.event')}</th><th>{t('word.status')}</th><th>{t('schedules.job')}</th><th>{t('word.time')}</th><th>{t('webhooks.answer')}</th><th><span class="hidden">{t('word.actions')}</span></th></tr></thead>
            <tbody>
              {page.items.flatMap((each) => {
                const isOpen = opened.value === each.id
                return [
                  <Row key={each.id} delivery={each} isOpen={isOpen} onOpen={() => (opened.value = isOpen ? null : each.id)} onReplay={mayReplay ? () => void replay(each) : null} />,
                  isOpen && <tr key={`${each.id} more`}><td colSpan={6} class="cell-more"><Calls delivery={each} /></td></tr>,
                ]
              })}
            </tbody>
          </table>
        </div>
      )}
      {page.hasMore && <div class="table-foot"><Button onClick={page.more}>{t('word.more')}</Button></div>}
    </Card>
  )
}

function Row({ delivery, isOpen, onOpen, onReplay }: { delivery: Delivery; isOpen: boolean; onOpen: () => void; onReplay: (() => void) | null }) {
  const last = delivery.tries.at(-1)
  return (
    <tr data-delivery={delivery.type}>
      <td><b>{delivery.type}</b></td>
      <td><Status of={delivery.status} /></td>
      <td>{delivery.job_id ? <a href={`${BASE}/jobs/${delivery.job_id}`}><code>{shortId(delivery.job_id)}</code></a> : <span class="faint">–</span>}</td>
      <td><When at={delivery.created_at} /></td>
      <td>{last ? (last.status_code ?? last.error ?? '–') : '–'} {delivery.tries.length > 1 && <span class="faint">{t('webhooks.calls', { n: delivery.tries.length })}</span>}</td>
      <td class="cell-actions">
        <Button icon="down" aria-expanded={isOpen} aria-label={`${t('word.details')}: ${delivery.type} ${shortId(delivery.id)}`} onClick={onOpen}>{t('word.details')}</Button>
        {onReplay && <Button icon="retry" aria-label={`${t('webhooks.replay')}: ${delivery.type} ${shortId(delivery.id)}`} onClick={onReplay}>{t('webhooks.replay')}</Button>}
      </td>
    </tr>
  )
}

function Calls({ delivery }: { delivery: Delivery }) {
  return (
    <div class="stack">
      <ol class="plain">
        {delivery.tries.map((each) => (
          <li key={each.attempt}>
            <span class="faint">{clock(each.started_at)}</span> <b>{each.status_code ?? '–'}</b> {duration(each.duration_ms / 1000)}
            {each.error && <span class="note note-bad">{each.error}</span>}
            {each.response && <code class="faint">{each.response.slice(0, 200)}</code>}
          </li>
        ))}
      </ol>
      <p class="faint">webhook-id: <code>{delivery.message_id}</code></p>
      <JsonView value={delivery.data} label={t('webhooks.message')} />
    </div>
  )
}
