import { useSignal } from '@preact/signals'
import { call, post } from '../api/client'
import type { ApiKey, ApiKeyCreated, Scope, User } from '../api/types'
import { t } from '../i18n'
import { usePages, useResource } from '../state/resource'
import { route } from '../state/route'
import { Button, Card, Confirm, Empty, Field, Loading, ProblemBox, Status, ViewHead, When } from '../ui/basics'
import { Checks, FormDialog, SecretDialog } from '../ui/form-dialog'
import { attempt } from '../ui/toast'

const DAY = 86400
const SCOPES: Scope[] = [
  'jobs:read', 'jobs:write', 'schedules:read', 'schedules:write', 'threads:read', 'threads:write', 'collections:read', 'collections:write',
  'webhooks:read', 'webhooks:write', 'usage:read', 'users:read', 'users:write', 'keys:read', 'keys:write', 'logs:read', 'audit:read', 'ops:read', 'ops:write',
]

/** The keys of one's programs. */
export function KeysView() {
  const userId = route.value.query.get('user')
  const user = useResource<User>(userId && `/users/${userId}`)
  const page = usePages<ApiKey>('/api-keys', { user_id: userId, limit: 100 })
  const made = useSignal<ApiKeyCreated | null>(null)
  const isCreating = useSignal(false)
  const revoking = useSignal<ApiKey | null>(null)
  const revoke = (key: ApiKey) => attempt(() => call('DELETE', `/api-keys/${key.id}`), t('keys.revoked')).then(page.reload)
  return (
    <div class="view">
      <ViewHead title={t('keys.title')} sub={user.data && t('keys.of', { name: user.data.name ?? user.data.email ?? user.data.id })}>
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
      {isCreating.value && <CreateDialog userId={userId} onClose={() => (isCreating.value = false)} onDone={(key) => { made.value = key; page.reload() }} />}
      {made.value && <SecretDialog title={made.value.name} secret={made.value.key} onClose={() => (made.value = null)} />}
      {revoking.value && <Confirm text={t('keys.confirmRevoke', { name: revoking.value.name })} action={t('keys.revoke')} onConfirm={() => revoking.value && void revoke(revoking.value)} onClose={() => (revoking.value = null)} />}
    </div>
  )
}

function stateOf(key: ApiKey): string {
  if (key.revoked_at) return 'revoked'
  return key.expires_at && Date.parse(key.expires_at) < Date.now() ? 'expired' : 'valid'
}

function CreateDialog({ userId, onClose, onDone }: { userId: string | null; onClose: () => void; onDone: (made: ApiKeyCreated) => void }) {
  return (
    <FormDialog
      title={t('keys.create')} action={t('word.create')} onClose={onClose} wide
      onSend={async (given) => {
        const days = given.number('days')
        const made = await post<ApiKeyCreated>('/api-keys', { name: given.text('name'), scopes: given.all('scope'), expires_in: days ? days * DAY : null, user_id: userId })
        onClose()
        onDone(made)
      }}
    >
      <Field label={t('word.name')}>{(id) => <input id={id} class="input" name="name" required maxLength={100} />}</Field>
      <Field label={t('keys.days')}>{(id) => <input id={id} class="input" name="days" type="number" min={1} placeholder={t('keys.never')} />}</Field>
      <Checks legend={t('keys.scopes')} name="scope" options={SCOPES.map((scope) => [scope, scope] as const)} chosen={['jobs:read', 'jobs:write']} />
    </FormDialog>
  )
}
