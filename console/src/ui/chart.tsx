import { useEffect, useRef } from 'preact/hooks'
import uPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import { number, t } from '../i18n'
import { language, scheme } from '../state/preferences'

export interface Line {
  label: string
  tone: string
  values: number[]
}

interface Props {
  title: string
  times: number[]
  lines: Line[]
  height?: number
}

const SPAN = 300

/** Lines over the last five minutes; `times` are seconds. Its newest values stand beside it as text. */
export function Chart({ title, times, lines, height = 170 }: Props) {
  const box = useRef<HTMLDivElement>(null)
  const plot = useRef<uPlot | null>(null)
  const values = lines.map((line) => `${line.label} ${number(line.values.at(-1) ?? 0, 1)}`).join(', ')
  const labels = lines.map((line) => line.label + line.tone).join()

  useEffect(() => {
    const element = box.current
    if (!element) return undefined
    plot.current = draw(element, lines, height)
    const watch = new ResizeObserver(() => plot.current?.setSize({ width: element.clientWidth, height }))
    watch.observe(element)
    return () => {
      watch.disconnect()
      plot.current?.destroy()
    }
  }, [labels, scheme.value, language.value])

  useEffect(() => {
    plot.current?.setData([times, ...lines.map((line) => line.values)])
  })

  return (
    <figure class="chart">
      <figcaption>
        <span class="chart-title">{title}</span>
        <span class="chart-legend">
          {lines.map((line) => (
            <span key={line.label} class={`legend tone-${line.tone}`}>{line.label} <b>{number(line.values.at(-1) ?? 0, 1)}</b></span>
          ))}
        </span>
      </figcaption>
      <div ref={box} role="img" aria-label={t('queues.chartAlt', { title, values })} style={{ height: `${height}px` }} />
    </figure>
  )
}

function draw(element: HTMLElement, lines: Line[], height: number): uPlot {
  const style = getComputedStyle(document.documentElement)
  const colour = (name: string) => style.getPropertyValue(name).trim()
  const axis = {
    stroke: colour('--ink-faint'),
    grid: { stroke: colour('--line'), width: 1 },
    ticks: { show: false },
    font: '11px Inter Variable, sans-serif',
  }
  const format = new Intl.DateTimeFormat(language.value, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' })
  const options: uPlot.Options = {
    width: element.clientWidth,
    height,
    legend: { show: false },
    cursor: { show: false },
    scales: {
      x: { time: true, range: () => [Date.now() / 1000 - SPAN, Date.now() / 1000] },
      y: { range: (_, __, max) => [0, Math.max(4, (max ?? 0) * 1.15)] },
    },
    axes: [
      { ...axis, grid: { show: false }, space: 70, size: 26, values: (_, splits) => splits.map((each) => format.format(each * 1000)) },
      { ...axis, size: 42, space: 34, values: (_, splits) => splits.map((each) => number(each, 1)) },
    ],
    series: [
      {},
      ...lines.map((line) => ({
        label: line.label,
        stroke: colour(`--${line.tone}`),
        width: 1.75,
        fill: `color-mix(in srgb, ${colour(`--${line.tone}`)} 10%, transparent)`,
        points: { show: false },
      })),
    ],
  }
  return new uPlot(options, [[], ...lines.map(() => [])] as uPlot.AlignedData, element)
}
