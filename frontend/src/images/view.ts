// What the images page shows, and how an address says it: a copied address opens the same view.
import type { ImageSort } from '../api'

export type Tab = 'names' | 'images'

export const SIZES = [25, 50, 100] as const

export const SORTS = ['created_at', 'name', 'status', 'duration'] as const satisfies readonly ImageSort[]

/** AWS's states of an image, in the order of its life. */
export const STATUSES = [
  'PENDING',
  'CREATING',
  'BUILDING',
  'TESTING',
  'DISTRIBUTING',
  'INTEGRATING',
  'AVAILABLE',
  'FAILED',
  'CANCELLED',
  'DEPRECATED',
  'DISABLED',
  'DELETED',
] as const

/** The longest text that is searched for: longer than any name, version or ARN. */
export const LONGEST = 300

export interface View {
  tab: Tab
  /** The golden image whose images are shown; null for all. */
  name: string | null
  text: string
  status: string
  sort: ImageSort
  descending: boolean
  size: number
  /** From 1. */
  page: number
}

export const START: View = {
  tab: 'names',
  name: null,
  text: '',
  status: '',
  sort: 'created_at',
  descending: true,
  size: SIZES[0],
  page: 1,
}

const OWN = ['view', 'name', 'text', 'status', 'sort', 'order', 'size', 'page']

/** Return the view of an address' query; what it says wrongly counts as not said. */
export function read(search: string): View {
  const said = new URLSearchParams(search)
  const status = (said.get('status') ?? '').toUpperCase()
  const page = Number(said.get('page'))
  return {
    tab: said.get('view') === 'images' ? 'images' : 'names',
    name: said.get('name') || null,
    text: (said.get('text') ?? '').slice(0, LONGEST),
    status: one(STATUSES, status) ?? '',
    sort: one(SORTS, said.get('sort')) ?? START.sort,
    descending: said.get('order') !== 'ascending',
    size: one(SIZES, Number(said.get('size'))) ?? START.size,
    page: Number.isSafeInteger(page) && page > 0 && page < 1e7 ? page : 1,
  }
}

/** Return the query of a view, without what is as at the start; members of `search` that are not ours stay. */
export function write(view: View, search = ''): string {
  const said = new URLSearchParams(search)
  for (const name of OWN) said.delete(name)
  if (view.tab !== START.tab) said.set('view', view.tab)
  if (view.name) said.set('name', view.name)
  if (view.text) said.set('text', view.text)
  if (view.status) said.set('status', view.status)
  if (view.sort !== START.sort) said.set('sort', view.sort)
  if (!view.descending) said.set('order', 'ascending')
  if (view.size !== START.size) said.set('size', String(view.size))
  if (view.page > 1) said.set('page', String(view.page))
  return said.size ? `?${said}` : ''
}

/** Return the view with changes; every change but a page turn begins at the first page. */
export function change(view: View, changes: Partial<View>): View {
  return { ...view, page: 1, ...changes }
}

/** Return the view sorted by a column: the same column a second time turns the order round. */
export function sorted(view: View, sort: ImageSort): View {
  // Names begin at A; times, durations and states with what is most likely asked for.
  const descending = view.sort === sort ? !view.descending : sort === 'created_at' || sort === 'duration'
  return change(view, { sort, descending })
}

/** Return the view of one golden image: all its images, newest first. */
export function named(view: View, name: string): View {
  return { ...START, tab: view.tab, size: view.size, name }
}

/** Return the view of a tab. What is searched for stays; names have no filter by state. */
export function tabbed(view: View, tab: Tab): View {
  return change(view, { tab, name: null, status: tab === 'names' ? '' : view.status })
}

/** Return the list that a view is a part of: without search and filter. */
export function unfiltered(view: View): View {
  return change(view, { text: '', status: '' })
}

export function isFiltered(view: View): boolean {
  return Boolean(view.text || view.status)
}

/** Return how many pages a list has; an empty list has one. */
export function pages(total: number, size: number): number {
  return Math.max(1, Math.ceil(total / size))
}

/** Return the page that is shown of a list: not one beyond its end. */
export function within(view: View, total: number): View {
  const last = pages(total, view.size)
  return view.page > last ? { ...view, page: last } : view
}

export function isSame(one: View, other: View): boolean {
  return write(one) === write(other)
}

function one<T>(of: readonly T[], value: unknown): T | undefined {
  return of.find((each) => each === value)
}
