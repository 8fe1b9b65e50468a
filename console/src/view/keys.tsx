import { useSignal } from '@preact/signals'
import { call, post, Problem } from '../api/client'
import type { ApiKey, ApiKeyCreated, Scope } from '../api/types'
import { t } from '../i18n'
import { usePages } from '../state/resource'
import { Button, Card, Confirm, CopyText, Dialog, Empty, Field, Loading, ProblemBox, Status, ViewHead, When } from '../ui/basics'
import { attempt } from '../ui/toast'

const DAY = 86400
const SCOPES: Scope[] = [
  'jobs:read', 'jobs:write', 'schedules:read', 'schedules:write', 'threads:read', 'threads:write', 'collections:read', 'collections:write',
  'webhooks:read', 'webhooks:write', 'usage:read', 'users:read', 'users:write', 'keys:read', 'keys:write', 'logs:read', 'audit:read', 'ops:read', 'ops:write',
]

/** The keys of one's programs. */
export function KeysView() {
  const page = usePages<ApiKey>('/api-keys', { limit: 100 })
  const isCreating = useSignal(false)
  const revoking = useSignal<ApiKey | null>(null)
  const revoke = (key: ApiKey) => attempt(() => call('DELETE', `/api-keys/${key.id}`), t('keys.revoked')).then(page.reload)
  return (
    <div class="view">
      <ViewHead title={t('keys.title')}>
        <Button icon="refresh" label={t('word.refresh')} onClick={page.reload} />
        <Button look="main" icon="plus" onClick={() => (isCreating.value = true)}>{t('keys.create')}</Button>
      </ViewHead>
      <ProblemBox problem={page.problem} onRetry={page.reload} />
      {!page.items.length && (page.isLoading ? <Loading /> : !page.problem && <Empty title={t('keys.empty')} text={t('keys.emptyText')} icon="key" />)}
      {page.items.length > 0 && (
        <Card>
          <table class="grid" aria-label={t('keys.title')}>
            <thead><tr><th>{t('word.name')}</th><th>{t('keys.prefix')}</th><th>{t('word.status')}</th><th>{t('keys.scopes')}</th><th>{t('keys.expires')}</th><th>{t('keys.used')}</th><th><span class="hidden">{t('word.actions')}</span></th></tr></thead>
            <tbody>
              {page.items.map((key) => (
                <tr key={key.id}>
                  <td><b>{key.name}</b></td>
                  <td><code>{key.prefix}</code></td>
                  <td><Status of={stateOf(key)} /></td>
                  <td class="cell-wide">{key.scopes.map((scope) => <span class="tag" key={scope}>{scope}</span>)}</td>
                  <td>{key.expires_at ? <When at={key.expires_at} /> : t('keys.never')}</td>
                  <td><When at={key.last_used_at} /></td>
                  <td class="cell-actions">{stateOf(key) === 'valid' && <Button icon="trash" aria-label={t('keys.revokeName', { name: key.name })} onClick={() => (revoking.value = key)}>{t('keys.revoke')}</Button>}</td>
                </tr>
              ))}
            </tbody>
          </table>
          {page.hasMore && <div class="table-foot"><Button onClick={page.more}>{t('word.more')}</Button></div>}
        </Card>
      )}
      {isCreating.value && <CreateDialog onClose={() => { isCreating.value = false; page.reload() }} />}
      {revoking.value && <Confirm text={t('keys.confirmRevoke', { name: revoking.value.name })} action={t('keys.revoke')} onConfirm={() => revoking.value && void revoke(revoking.value)} onClose={() => (revoking.value = null)} />}
    </div>
  )
}

function stateOf(key: ApiKey): string {
  if (key.revoked_at) return 'revoked'
  return key.expires_at && Date.parse(key.expires_at) < Date.now() ? 'expired' : 'valid'
}

function CreateDialog({ onClose }: { onClose: () => void }) {
  const problem = useSignal<Problem | null>(null)
  const made = useSignal<ApiKeyCreated | null>(null)
  const submit = async (event: Event) => {
    event.preventDefault()
    const form = new FormData(event.currentTarget as HTMLFormElement)
    const days = Number(form.get('days'))
    try {
      made.value = await post<ApiKeyCreated>('/api-keys', { name: String(form.get('name')).trim(), scopes: form.getAll('scope'), expires_in: days ? days * DAY : null })
    } catch (error) {
      if (!(error instanceof Problem)) throw error
      problem.value = error
    }
  }
  if (made.value) {
    return (
      <Dialog title={made.value.name} onClose={onClose}>
        <div class="dialog-body"><p>{t('keys.once')}</p><p class="secret"><CopyText text={made.value.key} /></p></div>
        <footer class="dialog-foot"><Button look="main" onClick={onClose}>{t('word.close')}</Button></footer>
      </Dialog>
    )
  }
  return (
    <Dialog title={t('keys.create')} onClose={onClose}>
      <form onSubmit={(event) => void submit(event)}>
        <div class="dialog-body">
          <Field label={t('word.name')}>{(id) => <input id={id} class="input" name="name" required maxLength={64} />}</Field>
          <Field label={t('keys.days')}>{(id) => <input id={id} class="input" name="days" type="number" min={1} placeholder={t('keys.never')} />}</Field>
          <fieldset class="form-group"><legend>{t('keys.scopes')}</legend>
            <div class="checks">{SCOPES.map((scope) => <label key={scope}><input type="checkbox" class="check" name="scope" value={scope} defaultChecked={scope.startsWith('jobs:')} />{scope}</label>)}</div>
          </fieldset>
          <ProblemBox problem={problem.value} />
        </div>
        <footer class="dialog-foot"><Button onClick={onClose}>{t('word.cancel')}</Button><Button look="main" type="submit">{t('word.create')}</Button></footer>
      </form>
    </Dialog>
  )
}
