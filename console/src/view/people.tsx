import { useSignal } from '@preact/signals'
import { call, post } from '../api/client'
import type { Role, User } from '../api/types'
import { t } from '../i18n'
import { usePages } from '../state/resource'
import { BASE } from '../state/route'
import { isAdmin, me } from '../state/session'
import { Button, Card, Confirm, Empty, Field, Loading, ProblemBox, Segmented, Select, Status, ViewHead, When } from '../ui/basics'
import { FormDialog } from '../ui/form-dialog'
import { Icon } from '../ui/icon'
import { attempt, say } from '../ui/toast'

const ROLES: Role[] = ['user', 'operator', 'admin']
const roleOptions = () => ROLES.map((role) => [role, t(`role.${role}`)] as const)

/** The people and services of the tenant. */
export function PeopleView() {
  const page = usePages<User>('/users', { limit: 100 })
  const isCreating = useSignal(false)
  const renaming = useSignal<User | null>(null)
  const removing = useSignal<User | null>(null)
  const change = (user: User, body: object) => attempt(() => call('PATCH', `/users/${user.id}`, { body }), t('people.changed')).then(page.reload)
  const remove = (user: User) => attempt(() => call('DELETE', `/users/${user.id}`), t('people.removed')).then(page.reload)
  return (
    <div class="view">
      <ViewHead title={t('people.title')}>
        <Button icon="refresh" label={t('word.refresh')} onClick={page.reload} />
        {isAdmin() && <Button look="main" icon="plus" onClick={() => (isCreating.value = true)}>{t('people.create')}</Button>}
      </ViewHead>
      <ProblemBox problem={page.problem} onRetry={page.reload} />
      {!page.items.length && (page.isLoading ? <Loading /> : !page.problem && <Empty title={t('people.empty')} icon="users" />)}
      {page.items.length > 0 && (
        <Card>
          <table class="grid" aria-label={t('people.title')}>
            <thead><tr><th>{t('word.name')}</th><th>{t('people.email')}</th><th>{t('people.kind')}</th><th>{t('people.role')}</th><th>{t('word.status')}</th><th>{t('word.created')}</th><th><span class="hidden">{t('word.actions')}</span></th></tr></thead>
            <tbody>
              {page.items.map((user) => <UserRow key={user.id} user={user} onChange={(body) => void change(user, body)} onRename={() => (renaming.value = user)} onRemove={() => (removing.value = user)} />)}
            </tbody>
          </table>
          {page.hasMore && <div class="table-foot"><Button onClick={page.more}>{t('word.more')}</Button></div>}
        </Card>
      )}
      {isCreating.value && <CreateDialog onClose={() => (isCreating.value = false)} onDone={page.reload} />}
      {renaming.value && <RenameDialog user={renaming.value} onClose={() => (renaming.value = null)} onDone={page.reload} />}
      {removing.value && <Confirm text={t('people.confirmRemove', { name: nameOf(removing.value) })} action={t('people.remove')} onConfirm={() => removing.value && void remove(removing.value)} onClose={() => (removing.value = null)} />}
    </div>
  )
}

const nameOf = (user: User): string => user.name ?? user.email ?? user.id

interface RowProps {
  user: User
  onChange: (body: object) => void
  onRename: () => void
  onRemove: () => void
}

function UserRow({ user, onChange, onRename, onRemove }: RowProps) {
  const name = nameOf(user)
  const mayChange = isAdmin()
  return (
    <tr data-user={user.email ?? user.name ?? ''}>
      <td><b>{user.name ?? '–'}</b></td>
      <td>{user.email ?? <span class="faint">–</span>}</td>
      <td>{user.is_service ? t('people.service') : t('people.person')}</td>
      <td>{mayChange ? <Select label={t('people.roleOf', { name })} value={user.role} options={roleOptions()} onChange={(role) => onChange({ role })} /> : t(`role.${user.role}`)}</td>
      <td><Status of={user.is_active ? 'active' : 'disabled'} /></td>
      <td><When at={user.created_at} /></td>
      <td class="cell-actions">
        {mayChange && (
          <>
            {user.is_service && <a class="button button-icon" href={`${BASE}/keys?user=${user.id}`} aria-label={t('people.keysOf', { name })} title={t('people.keysOf', { name })}><Icon name="key" /></a>}
            <Button icon="edit" label={t('people.rename', { name })} onClick={onRename} />
            {user.id !== me()?.id && (
              <>
                {user.is_active
                  ? <Button icon="ban" aria-label={t('people.disable', { name })} onClick={() => onChange({ is_active: false })}>{t('people.disableShort')}</Button>
                  : <Button icon="check" aria-label={t('people.enable', { name })} onClick={() => onChange({ is_active: true })}>{t('people.enableShort')}</Button>}
                <Button icon="trash" label={t('people.removeName', { name })} onClick={onRemove} />
              </>
            )}
          </>
        )}
      </td>
    </tr>
  )
}

function RenameDialog({ user, onClose, onDone }: { user: User; onClose: () => void; onDone: () => void }) {
  return (
    <FormDialog
      title={t('people.rename', { name: nameOf(user) })} action={t('word.save')} onClose={onClose}
      onSend={async (given) => {
        await call('PATCH', `/users/${user.id}`, { body: { name: given.text('name') } })
        say(t('people.changed'))
        onClose()
        onDone()
      }}
    >
      <Field label={t('word.name')}>{(id) => <input id={id} class="input" name="name" required maxLength={100} defaultValue={user.name ?? ''} />}</Field>
    </FormDialog>
  )
}

function CreateDialog({ onClose, onDone }: { onClose: () => void; onDone: () => void }) {
  const way = useSignal('person')
  const role = useSignal<string>('user')
  return (
    <FormDialog
      title={t('people.create')} action={t('people.create')} onClose={onClose}
      onSend={async (given) => {
        const person = { email: given.text('email') }
        await post('/users', { name: given.text('name'), role: role.value, ...(way.value === 'person' ? person : { is_service: true }) })
        say(t('people.created'))
        onClose()
        onDone()
      }}
    >
      <Segmented label={t('people.kind')} value={way.value} options={[['person', t('people.person')], ['service', t('people.service')]]} onChange={(next) => (way.value = next)} />
      {way.value === 'person' && <Field label={t('people.email')}>{(id) => <input id={id} class="input" name="email" type="email" required />}</Field>}
      <Field label={t('word.name')}>{(id) => <input id={id} class="input" name="name" required={way.value === 'service'} />}</Field>
      <Field label={t('people.role')}>{(id) => <Select id={id} label={t('people.role')} value={role.value} options={roleOptions()} onChange={(next) => (role.value = next)} />}</Field>
    </FormDialog>
  )
}
