// The cells of both tables. Everything from outside is text.
import type { ComponentChildren } from 'preact'
import type { Ami, ImageRow, Scan } from '../api'
import { Copied } from '../shared/Copy'
import { duration } from '../shared/Duration'
import { Link } from '../shared/Link'
import { ImageStatus } from '../shared/Status'
import { Time } from '../shared/Time'
import { usePage } from './context'
import { named } from './view'
import { ViewLink } from './ViewLink'

/** Rows of AMIs that a cell shows before one asks for the rest. */
const FEW = 2

const SEVERITIES = ['critical', 'high', 'medium', 'low', 'informational', 'untriaged']

export function Nothing({ what }: { what: string }) {
  return (
    <>
      <span class="ib-muted" aria-hidden="true">
        –
      </span>
      <span class="ib-hidden">{what}</span>
    </>
  )
}

export function NameLink({ name }: { name: string }) {
  const { view } = usePage()
  return (
    <ViewLink to={named(view, name)} className="ib-text">
      {name}
    </ViewLink>
  )
}

export function State({ image, version }: { image: ImageRow; version?: boolean }) {
  return (
    <div class="ib-stack">
      <ImageStatus image={image} />
      {version && <span class="ib-text ib-muted">{image.version}</span>}
    </div>
  )
}

export function Age({ image }: { image: ImageRow }) {
  if (!image.created_at) return <Nothing what="not known" />
  return <Time value={image.created_at} now={Date.now()} />
}

export function Took({ image }: { image: ImageRow }) {
  if (image.duration) return <>{duration(image.duration)}</>
  return image.ended || image.stale ? <Nothing what="not known" /> : <span class="ib-muted">in progress</span>
}

export function Tests({ image }: { image: ImageRow }) {
  const { tests_passed: passed, tests_failed: failed, tests_total: total } = image
  if (!total && !passed && !failed) return <Nothing what="no tests" />
  // A list has the counts of the last change of the image's state, which may be older than its last test.
  if (!image.ended && !image.stale && !failed) return <span class="ib-muted">{`${total} ${total === 1 ? 'test' : 'tests'}`}</span>
  return (
    <div class="ib-stack">
      <span>{total > passed + failed ? `${passed} of ${total} passed` : `${passed} passed`}</span>
      {failed > 0 && <strong class="ib-bad">{failed} failed</strong>}
    </div>
  )
}

export function Findings({ scan }: { scan: Scan | null }) {
  if (!scan || (!scan.counts && !scan.status)) return <Nothing what="not scanned" />
  if (!scan.counts) return <span class="ib-text ib-muted">scan: {scan.status?.toLowerCase().replaceAll('_', ' ')}</span>
  const counted = Object.entries(scan.counts)
    .filter(([, count]) => count > 0)
    .sort(([a], [b]) => rank(a) - rank(b))
  if (!counted.length) return <>no findings</>
  return (
    <ul class="ib-findings">
      {counted.map(([severity, count]) => (
        <li key={severity} class={severity === 'critical' ? 'ib-text ib-bad' : 'ib-text'}>
          {count.toLocaleString('en')} {severity}
        </li>
      ))}
    </ul>
  )
}

function rank(severity: string): number {
  const at = SEVERITIES.indexOf(severity.toLowerCase())
  return at < 0 ? SEVERITIES.length : at
}

export function Outputs({ image }: { image: ImageRow }) {
  const outputs = [
    ...image.amis.map((ami) => ({ key: `${ami.region} ${ami.account_id} ${ami.image}`, shown: <AmiLine ami={ami} /> })),
    ...image.containers.flatMap(({ region, image_uris: uris }) =>
      uris.map((uri) => ({ key: `${region} ${uri}`, shown: <Id region={region} id={uri} /> })),
    ),
  ]
  if (!outputs.length) return <Nothing what={image.type === 'DOCKER' ? 'no containers' : 'no AMIs'} />
  const [few, rest] = [outputs.slice(0, FEW), outputs.slice(FEW)]
  const items = (of: typeof outputs) => of.map(({ key, shown }, index) => <li key={`${index} ${key}`}>{shown}</li>)
  return (
    <>
      <ul class="ib-stack">{items(few)}</ul>
      {rest.length > 0 && (
        <details class="ib-more">
          <summary>
            {rest.length} more<span class="ib-hidden"> of {image.name} {image.version}</span>
          </summary>
          <ul class="ib-stack">{items(rest)}</ul>
        </details>
      )}
    </>
  )
}

function AmiLine({ ami }: { ami: Ami }) {
  if (!ami.image) return <span class="ib-text ib-muted">{ami.region}</span>
  return <Id region={ami.region} id={ami.image} note={ami.account_id} />
}

function Id({ region, id, note }: { region: string; id: string; note?: string | null }) {
  return (
    <span class="ib-id">
      <span class="ib-text ib-muted" title={note ? `Account ${note}` : undefined}>
        {region}
      </span>{' '}
      <Copied text={id} of={`${id} in ${region}`} />
    </span>
  )
}

export function BuiltBy({ image }: { image: ImageRow }) {
  const { navigation } = usePage()
  return (
    <div class="ib-stack">
      <Link
        to={navigation.run(image.dag_id, image.run_id)}
        navigation={navigation}
        label={`${image.dag_id}, run ${image.run_id}`}
      >
        {image.dag_id}
      </Link>
      <small class="ib-text ib-muted">{breakable(image.run_id)}</small>
      {!image.submitted && <Small>only waited for it</Small>}
    </div>
  )
}

/** Airflow's run ids: "scheduled__2026-11-26T03:00:00+00:00" breaks after its kind first. */
function breakable(runId: string): ComponentChildren {
  const [kind, ...rest] = runId.split('__')
  if (!rest.length) return runId
  return (
    <>
      {kind}__
      <wbr />
      {rest.join('__')}
    </>
  )
}

function Small({ children }: { children: ComponentChildren }) {
  return <small class="ib-muted">{children}</small>
}
