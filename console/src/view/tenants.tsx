import { useSignal } from '@preact/signals'
import { call, post } from '../api/client'
import type { Role, Tenant, User } from '../api/types'
import { t } from '../i18n'
import { usePages, useResource } from '../state/resource'
import { BASE, go } from '../state/route'
import { me } from '../state/session'
import { Button, Card, Confirm, CopyText, Empty, Field, Loading, ProblemBox, Select, Status, ViewHead, When } from '../ui/basics'
import { FormDialog } from '../ui/form-dialog'
import { attempt, say } from '../ui/toast'

const ROLES: Role[] = ['user', 'operator', 'admin']

/** One's organisation; for admins of the installation all of them. */
export function TenantsView() {
  const page = usePages<Tenant>('/tenants', { limit: 100 })
  const isCreating = useSignal(false)
  return (
    <div class="view">
      <ViewHead title={t('tenants.title')} sub={t('tenants.text')}>
        <Button icon="refresh" label={t('word.refresh')} onClick={page.reload} />
        <Button look="main" icon="plus" onClick={() => (isCreating.value = true)}>{t('tenants.create')}</Button>
      </ViewHead>
      <ProblemBox problem={page.problem} onRetry={page.reload} />
      {!page.items.length && page.isLoading && <Loading />}
      {page.items.length > 0 && (
        <Card>
          <table class="grid" aria-label={t('tenants.title')}>
            <thead><tr><th>{t('word.name')}</th><th>{t('word.id')}</th><th>{t('word.created')}</th></tr></thead>
            <tbody>
              {page.items.map((each) => (
                <tr key={each.id}>
                  <td class="cell-wide"><a href={`${BASE}/tenants/${each.id}`}><b>{each.name}</b></a>{each.id === me()?.tenant_id && <span class="tag tag-good">{t('tenants.mine')}</span>}</td>
                  <td><code class="faint">{each.id}</code></td>
                  <td><When at={each.created_at} /></td>
                </tr>
              ))}
            </tbody>
          </table>
          {page.hasMore && <div class="table-foot"><Button onClick={page.more}>{t('word.more')}</Button></div>}
        </Card>
      )}
      {isCreating.value && <NameDialog title={t('tenants.create')} onClose={() => (isCreating.value = false)} onSend={(name) => post<Tenant>('/tenants', { name }).then((made) => go(`/tenants/${made.id}`))} />}
    </div>
  )
}

/** One organisation and who belongs to it. */
export function TenantView({ id }: { id: string }) {
  const tenant = useResource<Tenant>(`/tenants/${id}`)
  const page = usePages<User>(`/tenants/${id}/members`, { limit: 100 })
  const dialog = useSignal<'none' | 'rename' | 'add'>('none')
  const removing = useSignal<User | null>(null)
  const close = () => (dialog.value = 'none')
  const remove = (user: User) => attempt(() => call('DELETE', `/tenants/${id}/members/${user.id}`), t('tenants.removed')).then(page.reload)
  if (!tenant.data) return tenant.problem ? <div class="view"><ViewHead title={t('tenants.title')} /><ProblemBox problem={tenant.problem} onRetry={tenant.reload} /></div> : <Loading />
  return (
    <div class="view">
      <ViewHead title={tenant.data.name} sub={<CopyText text={id} />}>
        <Button icon="edit" onClick={() => (dialog.value = 'rename')}>{t('tenants.rename')}</Button>
        <Button look="main" icon="plus" onClick={() => (dialog.value = 'add')}>{t('tenants.add')}</Button>
      </ViewHead>
      <ProblemBox problem={page.problem} onRetry={page.reload} />
      {!page.items.length && !page.isLoading && !page.problem && <Empty title={t('people.empty')} icon="users" />}
      {page.items.length > 0 && (
        <Card title={t('tenants.members')}>
          <table class="grid" aria-label={t('tenants.members')}>
            <thead><tr><th>{t('word.name')}</th><th>{t('people.email')}</th><th>{t('people.role')}</th><th>{t('word.status')}</th><th><span class="hidden">{t('word.actions')}</span></th></tr></thead>
            <tbody>
              {page.items.map((user) => (
                <tr key={user.id} data-user={user.email ?? user.name ?? ''}>
                  <td><b>{user.name ?? '–'}</b></td>
                  <td>{user.email ?? <span class="faint">–</span>}</td>
                  <td>{t(`role.${user.role}`)}</td>
                  <td><Status of={user.is_active ? 'active' : 'disabled'} /></td>
                  <td class="cell-actions">{user.id !== me()?.id && <Button icon="leave" aria-label={t('tenants.removeName', { name: user.name ?? user.email ?? user.id })} onClick={() => (removing.value = user)}>{t('word.remove')}</Button>}</td>
                </tr>
              ))}
            </tbody>
          </table>
          {page.hasMore && <div class="table-foot"><Button onClick={page.more}>{t('word.more')}</Button></div>}
        </Card>
      )}
      {dialog.value === 'rename' && <NameDialog title={t('tenants.rename')} name={tenant.data.name} onClose={close} onSend={(name) => call('PATCH', `/tenants/${id}`, { body: { name } }).then(tenant.reload)} />}
      {dialog.value === 'add' && <AddDialog id={id} onClose={close} onDone={page.reload} />}
      {removing.value && <Confirm text={t('tenants.confirmRemove', { name: removing.value.name ?? removing.value.email ?? removing.value.id })} action={t('word.remove')} onConfirm={() => removing.value && void remove(removing.value)} onClose={() => (removing.value = null)} />}
    </div>
  )
}

function NameDialog({ title, name, onSend, onClose }: { title: string; name?: string; onSend: (name: string | null) => Promise<unknown>; onClose: () => void }) {
  return (
    <FormDialog title={title} action={t('word.save')} onClose={onClose} onSend={async (given) => { await onSend(given.text('name')); say(t('word.saved')); onClose() }}>
      <Field label={t('word.name')}>{(id) => <input id={id} class="input" name="name" required maxLength={100} defaultValue={name ?? ''} />}</Field>
    </FormDialog>
  )
}

function AddDialog({ id, onClose, onDone }: { id: string; onClose: () => void; onDone: () => void }) {
  const role = useSignal<string>('user')
  return (
    <FormDialog
      title={t('tenants.add')} action={t('word.add')} onClose={onClose}
      onSend={async (given) => {
        await post(`/tenants/${id}/members`, { user_id: given.text('user_id'), role: role.value })
        say(t('people.created'))
        onClose()
        onDone()
      }}
    >
      <p>{t('tenants.addText')}</p>
      <Field label={t('tenants.userId')}>{(field) => <input id={field} class="input mono" name="user_id" required spellcheck={false} />}</Field>
      <Field label={t('people.role')}>{(field) => <Select id={field} label={t('people.role')} value={role.value} options={ROLES.map((each) => [each, t(`role.${each}`)] as const)} onChange={(next) => (role.value = next)} />}</Field>
    </FormDialog>
  )
}
