import { post } from '../api/client'
import type { Webhook } from '../api/types'
import { t } from '../i18n'
import { useResource } from '../state/resource'
import { Button, Card, Empty, Loading, ProblemBox, Status, ViewHead, When } from '../ui/basics'
import { attempt } from '../ui/toast'

/** Servers that are called when jobs have ended. */
export function WebhooksView() {
  const list = useResource<{ items: Webhook[] }>('/webhooks')
  const items = list.data?.items ?? []
  return (
    <div class="view">
      <ViewHead title={t('webhooks.title')}><Button icon="refresh" label={t('word.refresh')} onClick={list.reload} /></ViewHead>
      <ProblemBox problem={list.problem} onRetry={list.reload} />
      {!items.length && (list.isLoading ? <Loading /> : !list.problem && <Empty title={t('webhooks.empty')} text={t('webhooks.emptyText')} icon="webhook" />)}
      {items.length > 0 && (
        <Card>
          <table class="grid" aria-label={t('webhooks.title')}>
            <thead><tr><th>URL</th><th>{t('word.status')}</th><th>{t('webhooks.events')}</th><th>{t('webhooks.lastSuccess')}</th><th><span class="hidden">{t('word.actions')}</span></th></tr></thead>
            <tbody>
              {items.map((each) => (
                <tr key={each.id}>
                  <td class="cell-wide"><b>{each.url}</b> <span class="faint">{each.description}</span></td>
                  <td><Status of={each.disabled_at ? 'disabled' : 'active'} />{each.disabled_reason && <span class="note note-bad">{each.disabled_reason}</span>}</td>
                  <td>{each.events.map((event) => <span class="tag" key={event}>{event}</span>)}</td>
                  <td><When at={each.last_success_at} /></td>
                  <td class="cell-actions"><Button icon="zap" aria-label={`${t('webhooks.ping')}: ${each.url}`} onClick={() => void attempt(() => post(`/webhooks/${each.id}/ping`), t('webhooks.pinged'))}>{t('webhooks.ping')}</Button></td>
                </tr>
              ))}
            </tbody>
          </table>
        </Card>
      )}
    </div>
  )
}
