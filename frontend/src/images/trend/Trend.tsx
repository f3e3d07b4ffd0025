// How long the images of one name took to build, and what scans found: a drawing, and a table of the same numbers.
import { getTrend, type TrendPoint } from '../../api'
import { duration } from '../../shared/Duration'
import { Link } from '../../shared/Link'
import { wordOfImage } from '../../shared/Status'
import { Time } from '../../shared/Time'
import { useLive } from '../../shared/useLive'
import { usePage } from '../context'
import { PAUSES } from '../usePage'
import { Chart } from './Chart'
import { inOrder } from './plot'

const MOST = 100

/** Milliseconds of a day: a trend does not wait for an image that a task stopped following long ago. */
const DAY = 86_400_000

export function Trend({ name }: { name: string }) {
  const { value, problem } = useLive<TrendPoint[]>(name, {
    ask: (signal) => getTrend(name, MOST, signal),
    inProgress: (points) =>
      points.some((point) => point.duration === null && Date.now() - Date.parse(point.created_at) < DAY),
    pauses: PAUSES,
  })
  // The list below says why there is nothing.
  if (problem && !value) return null
  if (!value) return <div class="ib-trend ib-trend-awaited" aria-hidden="true" />
  if (!value.length) return null
  return (
    <section class="ib-trend" aria-labelledby="ib-trend-title">
      <h2 id="ib-trend-title">{value.length === 1 ? 'The only image' : `The last ${value.length} images`}</h2>
      <Chart points={value} />
      <details>
        <summary>Numbers as a table</summary>
        <Numbers points={value} name={name} />
      </details>
    </section>
  )
}

function Numbers({ points, name }: { points: TrendPoint[]; name: string }) {
  const { navigation } = usePage()
  const caption = `Duration and findings of ${name}, newest first`
  return (
    <div class="ib-scroll ib-numbers" role="region" aria-label={`${caption}, scrolls`} tabIndex={0}>
      <table class="ib-table">
        <caption class="ib-hidden">{caption}</caption>
        <thead>
          <tr>
            {['Version', 'Created', 'State', 'Duration', 'Critical', 'High', 'All findings', 'Run'].map((title) => (
              <th key={title} scope="col">
                {title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {inOrder(points)
            .reverse()
            .map((point, index) => (
              <tr key={index}>
                <th scope="row" class="ib-text">
                  {point.version}
                </th>
                <td>
                  <Time value={point.created_at} />
                </td>
                <td class="ib-text">{wordOf(point)}</td>
                <td>{duration(point.duration) || '–'}</td>
                <td>{point.critical ?? '–'}</td>
                <td>{point.high ?? '–'}</td>
                <td>{point.findings ?? '–'}</td>
                <td>
                  <Link to={navigation.run(point.dag_id, point.run_id)} navigation={navigation}>
                    {point.run_id}
                  </Link>
                </td>
              </tr>
            ))}
        </tbody>
      </table>
    </div>
  )
}

export function wordOf({ status }: TrendPoint): string {
  return wordOfImage({ status, ended: true, stale: false })
}
