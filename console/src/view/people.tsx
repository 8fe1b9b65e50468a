import { useSignal } from '@preact/signals'
import { call, post, Problem } from '../api/client'
import type { Role, User } from '../api/types'
import { t } from '../i18n'
import { usePages } from '../state/resource'
import { session } from '../state/session'
import { Button, Card, Dialog, Empty, Field, Loading, ProblemBox, Segmented, Select, Status, ViewHead, When } from '../ui/basics'
import { attempt, say } from '../ui/toast'

const ROLES: Role[] = ['user', 'operator', 'admin']
const roleOptions = () => ROLES.map((role) => [role, t(`role.${role}`)] as const)

/** The people and services of the tenant. */
export function PeopleView() {
  const page = usePages<User>('/users', { limit: 100 })
  const isCreating = useSignal(false)
  const me = session.value.state === 'in' ? session.value.me.id : ''
  const change = (user: User, body: object) => attempt(() => call('PATCH', `/users/${user.id}`, { body }), t('people.changed')).then(page.reload)
  return (
    <div class="view">
      <ViewHead title={t('people.title')}>
        <Button icon="refresh" label={t('word.refresh')} onClick={page.reload} />
        <Button look="main" icon="plus" onClick={() => (isCreating.value = true)}>{t('people.create')}</Button>
      </ViewHead>
      <ProblemBox problem={page.problem} onRetry={page.reload} />
      {!page.items.length && (page.isLoading ? <Loading /> : !page.problem && <Empty title={t('people.empty')} icon="users" />)}
      {page.items.length > 0 && (
        <Card>
          <table class="grid" aria-label={t('people.title')}>
            <thead><tr><th>{t('word.name')}</th><th>{t('people.email')}</th><th>{t('people.kind')}</th><th>{t('people.role')}</th><th>{t('word.status')}</th><th>{t('word.created')}</th><th><span class="hidden">{t('word.actions')}</span></th></tr></thead>
            <tbody>
              {page.items.map((user) => {
                const name = user.name ?? user.email ?? user.id
                return (
                  <tr key={user.id}>
                    <td><b>{user.name ?? '–'}</b></td>
                    <td>{user.email ?? <span class="faint">–</span>}</td>
                    <td>{user.is_service ? t('people.service') : t('people.person')}</td>
                    <td><Select label={t('people.roleOf', { name })} value={user.role} options={roleOptions()} onChange={(role) => void change(user, { role })} /></td>
                    <td><Status of={user.is_active ? 'active' : 'disabled'} /></td>
                    <td><When at={user.created_at} /></td>
                    <td class="cell-actions">{user.id !== me && (user.is_active
                      ? <Button icon="ban" aria-label={t('people.disable', { name })} onClick={() => void change(user, { is_active: false })}>{t('people.disableShort')}</Button>
                      : <Button icon="check" aria-label={t('people.enable', { name })} onClick={() => void change(user, { is_active: true })}>{t('people.enableShort')}</Button>)}</td>
                  </tr>
                )
              })}
            </tbody>
          </table>
          {page.hasMore && <div class="table-foot"><Button onClick={page.more}>{t('word.more')}</Button></div>}
        </Card>
      )}
      {isCreating.value && <CreateDialog onClose={() => (isCreating.value = false)} onDone={page.reload} />}
    </div>
  )
}

function CreateDialog({ onClose, onDone }: { onClose: () => void; onDone: () => void }) {
  const way = useSignal('person')
  const role = useSignal<string>('user')
  const problem = useSignal<Problem | null>(null)
  const submit = async (event: Event) => {
    event.preventDefault()
    const form = new FormData(event.currentTarget as HTMLFormElement)
    const read = (name: string) => String(form.get(name) ?? '').trim() || null
    try {
      await post('/users', way.value === 'person' ? { email: read('email'), name: read('name'), role: role.value } : { name: read('name'), role: role.value, is_service: true })
      say(t('people.created'))
      onClose()
      onDone()
    } catch (error) {
      if (!(error instanceof Problem)) throw error
      problem.value = error
    }
  }
  return (
    <Dialog title={t('people.create')} onClose={onClose}>
      <form onSubmit={(event) => void submit(event)}>
        <div class="dialog-body">
          <Segmented label={t('people.kind')} value={way.value} options={[['person', t('people.person')], ['service', t('people.service')]]} onChange={(next) => (way.value = next)} />
          {way.value === 'person' && <Field label={t('people.email')}>{(id) => <input id={id} class="input" name="email" type="email" required />}</Field>}
          <Field label={t('word.name')}>{(id) => <input id={id} class="input" name="name" required={way.value === 'service'} />}</Field>
          <Field label={t('people.role')}>{(id) => <Select id={id} label={t('people.role')} value={role.value} options={roleOptions()} onChange={(next) => (role.value = next)} />}</Field>
          <ProblemBox problem={problem.value} />
        </div>
        <footer class="dialog-foot"><Button onClick={onClose}>{t('word.cancel')}</Button><Button look="main" type="submit">{t('people.create')}</Button></footer>
      </form>
    </Dialog>
  )
}
