import { useSignal } from '@preact/signals'
import { post } from '../api/client'
import type { Webhook, WebhookWithSecret } from '../api/types'
import { t } from '../i18n'
import { useResource } from '../state/resource'
import { BASE, goQuery, route } from '../state/route'
import { isOperator, me } from '../state/session'
import { Button, Card, Empty, Field, Loading, ProblemBox, Segmented, shortId, Status, ViewHead, When } from '../ui/basics'
import { Checks, FormDialog, SecretDialog } from '../ui/form-dialog'
import { attempt } from '../ui/toast'

export const WEBHOOK_EVENTS = ['job.succeeded', 'job.failed', 'job.cancelled', 'job.expired'] as const

/** Servers that are called when jobs have ended. */
export function WebhooksView() {
  const everybody = isOperator() && route.value.query.get('whose') === 'everybody'
  const list = useResource<{ items: Webhook[] }>('/webhooks', everybody ? { everybody } : {})
  const isCreating = useSignal(false)
  const made = useSignal<WebhookWithSecret | null>(null)
  const items = list.data?.items ?? []
  return (
    <div class="view">
      <ViewHead title={t('webhooks.title')}>
        <Button icon="refresh" label={t('word.refresh')} onClick={list.reload} />
        <Button look="main" icon="plus" onClick={() => (isCreating.value = true)}>{t('webhooks.create')}</Button>
      </ViewHead>
      {isOperator() && (
        <div class="filters" role="group" aria-label={t('jobs.filters')}>
          <Segmented label={t('webhooks.whose')} value={everybody ? 'everybody' : 'mine'} options={[['mine', t('jobs.mine')], ['everybody', t('jobs.everybody')]]} onChange={(value) => goQuery({ whose: value === 'everybody' ? value : null })} />
        </div>
      )}
      <ProblemBox problem={list.problem} onRetry={list.reload} />
      {!items.length && (list.isLoading ? <Loading /> : !list.problem && <Empty title={t('webhooks.empty')} text={t('webhooks.emptyText')} icon="webhook" />)}
      {items.length > 0 && <Card><WebhookTable items={items} everybody={everybody} /></Card>}
      {isCreating.value && <CreateDialog onClose={() => (isCreating.value = false)} onDone={(webhook) => { made.value = webhook; list.reload() }} />}
      {made.value && <SecretDialog title={t('webhooks.secret')} secret={made.value.secret} onClose={() => (made.value = null)} />}
    </div>
  )
}

function WebhookTable({ items, everybody }: { items: Webhook[]; everybody: boolean }) {
  return (
    <table class="grid" aria-label={t('webhooks.title')}>
      <thead><tr><th>{t('webhooks.url')}</th><th>{t('word.status')}</th>{everybody && <th>{t('word.owner')}</th>}<th>{t('webhooks.events')}</th><th>{t('webhooks.lastSuccess')}</th><th><span class="hidden">{t('word.actions')}</span></th></tr></thead>
      <tbody>
        {items.map((each) => (
          <tr key={each.id} data-webhook={each.url}>
            <td class="cell-wide"><a href={`${BASE}/webhooks/${each.id}`}><b>{each.url}</b></a> <span class="faint">{each.description}</span></td>
            <td><Status of={each.disabled_at ? 'disabled' : 'active'} />{each.disabled_reason && <span class="note note-bad">{each.disabled_reason}</span>}</td>
            {everybody && <td><code class="faint" title={each.owner_id}>{shortId(each.owner_id)}</code></td>}
            <td class="cell-wide">{each.events.map((event) => <span class="tag" key={event}>{event}</span>)}</td>
            <td><When at={each.last_success_at} /></td>
            <td class="cell-actions">{each.owner_id === me()?.id && <Button icon="zap" aria-label={`${t('webhooks.ping')}: ${each.url}`} onClick={() => void attempt(() => post(`/webhooks/${each.id}/ping`), t('webhooks.pinged'))}>{t('webhooks.ping')}</Button>}</td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}

/** The fields of an endpoint, for a new one or one that is changed. */
export function WebhookFields({ webhook }: { webhook?: Webhook }) {
  return (
    <>
      <Field label={t('webhooks.url')}>{(id) => <input id={id} class="input" name="url" type="url" required defaultValue={webhook?.url} placeholder="https://example.com/letuin" />}</Field>
      <Field label={t('collections.description')}>{(id) => <input id={id} class="input" name="description" maxLength={200} defaultValue={webhook?.description ?? ''} />}</Field>
      <Checks legend={t('webhooks.events')} name="event" options={WEBHOOK_EVENTS.map((each) => [each, each] as const)} chosen={webhook?.events ?? WEBHOOK_EVENTS} />
      <p class="field-hint">{t('webhooks.eventsHint')}</p>
    </>
  )
}

function CreateDialog({ onClose, onDone }: { onClose: () => void; onDone: (made: WebhookWithSecret) => void }) {
  return (
    <FormDialog
      title={t('webhooks.create')} action={t('word.create')} onClose={onClose}
      onSend={async (given) => {
        const made = await post<WebhookWithSecret>('/webhooks', { url: given.text('url'), description: given.text('description'), events: given.all('event') })
        onClose()
        onDone(made)
      }}
    >
      <WebhookFields />
    </FormDialog>
  )
}
