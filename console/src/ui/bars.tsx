/** Values side by side: one column a day, or one line a name. */
interface Bar {
  name: string
  value: number
}

interface Props {
  title: string
  bars: Bar[]
  format: (value: number) => string
}

const MOST_LABELS = 8

/** A column for each bar, in their order. The whole is told to screen readers in one sentence; a table has the rest. */
export function Columns({ title, bars, format }: Props) {
  const most = Math.max(...bars.map((bar) => bar.value), 0)
  const every = Math.ceil(bars.length / MOST_LABELS)
  const top = bars.find((bar) => bar.value === most)
  return (
    <figure class="chart">
      <figcaption><span class="chart-title">{title}</span><span class="faint">{most > 0 && top ? `${top.name}: ${format(most)}` : ''}</span></figcaption>
      <div class="columns" role="img" aria-label={`${title}: ${bars.filter((bar) => bar.value > 0).map((bar) => `${bar.name} ${format(bar.value)}`).join(', ') || '–'}`}>
        {bars.map((bar, index) => (
          <div class="column" key={bar.name} title={`${bar.name}: ${format(bar.value)}`}>
            <div class="column-space"><div class="column-bar" style={{ height: `${most ? (bar.value / most) * 100 : 0}%` }} /></div>
            <span class="column-name">{index % every === 0 ? bar.name.slice(5) : ''}</span>
          </div>
        ))}
      </div>
    </figure>
  )
}

/** A line for each bar, the longest first. */
export function Lines({ title, bars, format }: Props) {
  const most = Math.max(...bars.map((bar) => bar.value), 0)
  return (
    <figure class="chart">
      <figcaption><span class="chart-title">{title}</span></figcaption>
      <ul class="lines">
        {[...bars].sort((one, other) => other.value - one.value).slice(0, 10).map((bar) => (
          <li key={bar.name}>
            <span class="line-name">{bar.name}</span><span class="num">{format(bar.value)}</span>
            <div class="line-space" aria-hidden="true"><div class="line-bar" style={{ width: `${most ? (bar.value / most) * 100 : 0}%` }} /></div>
          </li>
        ))}
      </ul>
    </figure>
  )
}
