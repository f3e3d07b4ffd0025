import assert from 'node:assert/strict'
import { test } from 'node:test'
import { change, isFiltered, named, pages, read, sorted, START, tabbed, unfiltered, within, write } from '../../src/images/view'

test('the start needs no query, and no query is the start', () => {
  assert.equal(write(START), '')
  assert.deepEqual(read(''), START)
})

test('a copied address opens the same view, whatever the names hold', () => {
  for (const name of ['golden-al2023', 'a&page=9', '<b>"\'%', '\u202Egnp.exe', 'ß 漢字 +', '?#/..']) {
    const view = { ...START, tab: 'images' as const, name, text: `${name} text`, status: 'FAILED', size: 50, page: 7 }
    assert.deepEqual(read(write(view)), view)
  }
  const view = { ...START, sort: 'duration' as const, descending: false }
  assert.deepEqual(read(write(view)), view)
})

test('what an address says wrongly counts as not said', () => {
  for (const page of ['0', '-1', '1.5', 'x', '1e999', '99999999999999999999', 'NaN', '']) {
    assert.equal(read(`?page=${page}`).page, 1, page)
  }
  assert.deepEqual(read('?view=x&sort=arn&order=x&size=1000000&status=<script>'), START)
  assert.equal(read('?status=failed').status, 'FAILED')
  assert.equal(read(`?text=${'x'.repeat(5000)}`).text.length, 300)
  assert.equal(read('?name=').name, null)
})

test('members of the address that are not ours stay, ours are replaced', () => {
  assert.equal(write({ ...START, page: 2 }, '?theme=dark&page=9&text=old'), '?theme=dark&page=2')
})

test('every change but a page turn begins at the first page', () => {
  const view = { ...START, page: 9 }
  assert.equal(change(view, { text: 'x' }).page, 1)
  assert.equal(change(view, { page: 10 }).page, 10)
  assert.equal(sorted(view, 'name').page, 1)
})

test('sorting: a second time turns it round, names begin at A, times with the newest', () => {
  const byName = sorted(START, 'name')
  assert.deepEqual([byName.sort, byName.descending], ['name', false])
  assert.equal(sorted(byName, 'name').descending, true)
  assert.equal(sorted(byName, 'duration').descending, true)
  assert.equal(sorted(START, 'created_at').descending, false)
})

test('choosing a name forgets the search and the filter, keeps the size of a page', () => {
  const view = named({ ...START, text: 'x', status: 'FAILED', size: 100, page: 4 }, 'golden')
  assert.deepEqual(view, { ...START, size: 100, name: 'golden' })
})

test('the filter by state does not reach the names, which do not have it', () => {
  const view = { ...START, tab: 'images' as const, status: 'FAILED', text: 'x' }
  assert.equal(tabbed(view, 'names').status, '')
  assert.equal(tabbed(view, 'names').text, 'x')
  assert.equal(isFiltered(view), true)
  assert.equal(isFiltered(unfiltered(view)), false)
})

test('a page beyond the end is the last one', () => {
  assert.equal(pages(0, 25), 1)
  assert.equal(pages(25, 25), 1)
  assert.equal(pages(26, 25), 2)
  assert.equal(within({ ...START, page: 400 }, 26).page, 2)
  assert.equal(within({ ...START, page: 400 }, 0).page, 1)
  assert.equal(within({ ...START, page: 2 }, 26).page, 2)
})
