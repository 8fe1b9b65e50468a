import { useSignal } from '@preact/signals'
import { call, post } from '../api/client'
import type { Budget } from '../api/types'
import { money, moment, number, t } from '../i18n'
import { useResource } from '../state/resource'
import { Button, Card, Confirm, Empty, Field, Loading, ProblemBox, Select, ViewHead } from '../ui/basics'
import { FormDialog } from '../ui/form-dialog'
import { attempt, say } from '../ui/toast'

const INTERVAL = 5000

/** How much may be spent on models, and how much of it is. */
export function BudgetsView() {
  const list = useResource<{ items: Budget[] }>('/budgets', {}, INTERVAL)
  const isCreating = useSignal(false)
  const changing = useSignal<Budget | null>(null)
  const removing = useSignal<Budget | null>(null)
  const remove = (budget: Budget) => attempt(() => call('DELETE', `/budgets/${budget.id}`), t('budgets.deleted')).then(list.reload)
  const items = list.data?.items ?? []
  return (
    <div class="view">
      <ViewHead title={t('budgets.title')} sub={t('budgets.text')}>
        <Button icon="refresh" label={t('word.refresh')} onClick={list.reload} />
        <Button look="main" icon="plus" onClick={() => (isCreating.value = true)}>{t('budgets.create')}</Button>
      </ViewHead>
      <ProblemBox problem={list.problem} onRetry={list.reload} />
      {!items.length && (list.isLoading ? <Loading /> : !list.problem && <Empty title={t('budgets.empty')} text={t('budgets.emptyText')} icon="wallet" />)}
      <div class="two">
        {items.map((each) => <BudgetCard key={each.id} budget={each} onChange={() => (changing.value = each)} onRemove={() => (removing.value = each)} />)}
      </div>
      {isCreating.value && <BudgetDialog onClose={() => (isCreating.value = false)} onDone={list.reload} />}
      {changing.value && <BudgetDialog budget={changing.value} onClose={() => (changing.value = null)} onDone={list.reload} />}
      {removing.value && <Confirm text={t('budgets.confirmDelete', { name: nameOf(removing.value) })} action={t('word.delete')} onConfirm={() => removing.value && void remove(removing.value)} onClose={() => (removing.value = null)} />}
    </div>
  )
}

const nameOf = (budget: Budget): string => `${budget.model ?? t('budgets.all')} · ${t(`budgets.${budget.period}`)}`

function BudgetCard({ budget, onChange, onRemove }: { budget: Budget; onChange: () => void; onRemove: () => void }) {
  const name = nameOf(budget)
  return (
    <Card
      title={name}
      extra={(
        <span class="card-actions">
          <Button look="quiet" icon="edit" label={t('budgets.change', { name })} onClick={onChange} />
          <Button look="quiet" icon="trash" label={t('budgets.delete', { name })} onClick={onRemove} />
        </span>
      )}
    >
      <div class="meters" data-budget={budget.model ?? ''}>
        {budget.max_cost !== null && <Meter name={t('usage.cost')} used={Number(budget.spent_cost)} reserved={Number(budget.reserved_cost)} most={Number(budget.max_cost)} format={money} />}
        {budget.max_tokens !== null && <Meter name={t('budgets.tokens')} used={budget.spent_tokens} reserved={budget.reserved_tokens} most={budget.max_tokens} format={number} />}
        <p class="faint">{t('budgets.until', { time: moment(budget.window_end) })} {budget.is_imposed && t('budgets.imposed')}</p>
      </div>
    </Card>
  )
}

interface MeterProps {
  name: string
  used: number
  reserved: number
  most: number
  format: (value: number) => string
}

function Meter({ name, used, reserved, most, format }: MeterProps) {
  const part = most > 0 ? (used + reserved) / most : 1
  const tone = part >= 1 ? 'bad' : part >= 0.8 ? 'warn' : 'good'
  return (
    <div class={`meter tone-${tone}`}>
      <div class="meter-head"><b>{name}</b><span class="num">{t('budgets.of', { used: format(used), most: format(most) })}{reserved > 0 && <span class="faint"> {t('budgets.reserved', { n: format(reserved) })}</span>}</span></div>
      <progress class="bar bar-wide bar-tone" max={1} value={Math.min(1, part)} aria-label={name} />
    </div>
  )
}

function BudgetDialog({ budget, onClose, onDone }: { budget?: Budget; onClose: () => void; onDone: () => void }) {
  const period = useSignal<string>(budget?.period ?? 'month')
  return (
    <FormDialog
      title={budget ? t('budgets.change', { name: nameOf(budget) }) : t('budgets.create')} action={budget ? t('word.save') : t('word.create')} onClose={onClose}
      onSend={async (given) => {
        const limits = { max_cost: given.number('max_cost'), max_tokens: given.number('max_tokens') }
        await (budget ? call('PATCH', `/budgets/${budget.id}`, { body: limits }) : post('/budgets', { ...limits, period: period.value, model: given.text('model') }))
        say(t('word.saved'))
        onClose()
        onDone()
      }}
    >
      {!budget && (
        <>
          <Field label={t('budgets.period')}>{(id) => <Select id={id} label={t('budgets.period')} value={period.value} options={[['month', t('budgets.month')], ['day', t('budgets.day')]]} onChange={(next) => (period.value = next)} />}</Field>
          <Field label={t('usage.model')} hint={t('budgets.modelHint')}>{(id, described) => <input id={id} aria-describedby={described} class="input" name="model" maxLength={200} />}</Field>
        </>
      )}
      <Field label={t('budgets.maxCost')}>{(id) => <input id={id} class="input" name="max_cost" type="number" min={0} step="any" defaultValue={budget?.max_cost ?? ''} />}</Field>
      <Field label={t('budgets.maxTokens')}>{(id) => <input id={id} class="input" name="max_tokens" type="number" min={0} step={1} defaultValue={budget?.max_tokens ?? ''} />}</Field>
    </FormDialog>
  )
}
