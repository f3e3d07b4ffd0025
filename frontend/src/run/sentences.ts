// Sentences about an image, made from numbers. Where nothing is known, there is no sentence.
import type { Build, BuildMinutes, Estimate, Scan, Workflow } from '../api'
import { about, duration } from '../shared/Duration'

export interface EstimateSentence {
  text: string
  warning: boolean
}

export function estimateSentence(estimate: Estimate | null, ended: boolean): EstimateSentence | null {
  if (!estimate || estimate.based_on < 1) return null
  const { based_on, fastest, slowest, median, remaining, remaining_low, remaining_high } = estimate
  const builds = based_on === 1 ? 'the last build' : `the last ${based_on} builds`
  if (estimate.slower_than_all) {
    const all = based_on === 1 ? builds : `all of ${builds}`
    return { text: `slower than ${all} (${span(fastest, slowest)})`, warning: true }
  }
  if (ended) return { text: `${builds} took ${about(median)}${spread(median, fastest, slowest)}`, warning: false }
  if (remaining === null) return null
  const left = `about ${about(remaining)} left${spread(remaining, remaining_low, remaining_high)}`
  return { text: `${left}, from ${builds}`, warning: false }
}

function spread(middle: number, low: number | null, high: number | null): string {
  if (low === null || high === null || about(low) === about(high)) return ''
  const [unit, lowUnit, highUnit] = [middle, low, high].map((seconds) => unitOf(about(seconds)))
  const short = unit && unit === lowUnit && unit === highUnit
  return short ? ` (${bare(about(low))} to ${bare(about(high))})` : ` (${span(low, high)})`
}

function span(low: number, high: number): string {
  const [from, to] = [about(low), about(high)]
  if (from === to) return from
  const unit = unitOf(from)
  return unit && unit === unitOf(to) ? `${bare(from)} to ${to}` : `${from} to ${to}`
}

/** The unit of a duration that has one unit, else "". */
function unitOf(text: string): string {
  const words = text.split(' ')
  return words.length === 2 ? (words[1] ?? '') : ''
}

const bare = (text: string) => text.split(' ')[0]

/** "6.4 on m5.large; 0.12 to 0.31 USD by your prices" */
export function minutesSentence(minutes: BuildMinutes | null): string {
  if (!minutes) return ''
  const { total, instance_types: types, cost_low: low, cost_high: high, currency } = minutes
  const where = types.length ? ` on ${types.join(', ')}` : ''
  const text = `${total.toFixed(1)}${where}`
  if (low === null || high === null) return text
  const cost = money(low) === money(high) ? money(low) : `${money(low)} to ${money(high)}`
  return `${text}; ${cost}${currency ? ` ${currency}` : ''} by your prices`
}

function money(amount: number): string {
  return amount > 0 && amount < 0.01 ? 'less than 0.01' : amount.toFixed(2)
}

const SEVERITIES = ['critical', 'high', 'medium', 'low', 'informational', 'untriaged']

/** "2 critical, 5 high"; without counts, the state of the scan. */
export function scanSentence(scan: Scan | null): string {
  if (!scan) return ''
  if (!scan.counts) return scan.status ? scan.status.toLowerCase() : ''
  const place = (severity: string) => (SEVERITIES.indexOf(severity) + SEVERITIES.length + 1) % (SEVERITIES.length + 1)
  const found = Object.entries(scan.counts)
    .map(([severity, count]) => [severity.toLowerCase(), count] as const)
    .filter(([severity, count]) => count > 0 && severity !== 'all' && severity !== 'total')
    .sort(([a], [b]) => place(a) - place(b))
  return found.length ? found.map(([severity, count]) => `${count} ${severity}`).join(', ') : 'no findings'
}

/** "5 of 6 tests passed, 1 failed" */
export function testsSentence({ tests_passed, tests_failed, tests_total }: Build): string {
  if (!tests_total) return ''
  return `${tests_passed} of ${tests_total} passed${tests_failed ? `, ${tests_failed} failed` : ''}`
}

const KIND = { BUILD: 'build', TEST: 'test', DISTRIBUTION: 'distribution' }

/** The name of a bar for a screen reader: "smoke, test, group functional, passed, 2 min 10 s". */
export function workflowSentence(workflow: Workflow, seconds: number | null): string {
  return [
    workflow.name,
    KIND[workflow.type] ?? workflow.type,
    workflow.parallel_group === null ? '' : `group ${workflow.parallel_group}`,
    workflow.outcome,
    duration(seconds),
    attemptSentence(workflow),
  ]
    .filter(Boolean)
    .join(', ')
}

/** "attempt 1 of 2", where a repair ran the workflow again. */
export function attemptSentence({ attempt, attempts }: Workflow): string {
  return attempts > 1 ? `attempt ${attempt} of ${attempts}` : ''
}
