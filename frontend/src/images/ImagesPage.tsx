// The page "Golden images": golden images by name, all images, or the images of one name with their trend.
import './images.css'
import { useEffect, useRef } from 'preact/hooks'
import type { Navigation } from '../navigation'
import { ImagesContext } from './context'
import { Images, Names } from './lists'
import { useView } from './useView'
import { START, tabbed, type View } from './view'
import { ViewLink } from './ViewLink'

export function ImagesPage({ navigation }: { navigation: Navigation }) {
  const [view, show] = useView()
  const heading = useRef<HTMLHeadingElement>(null)
  const shown = useRef(view.name)
  // Another name is another page for who reads it: reading begins at its heading.
  useEffect(() => {
    if (shown.current === view.name) return
    shown.current = view.name
    heading.current?.focus()
  }, [view.name])
  useEffect(() => {
    if (!navigation.framed) document.title = view.name ? `${view.name}: golden images` : 'Golden images'
  }, [view.name])
  const contents = (
    <ImagesContext.Provider value={{ navigation, view, show }}>
      <header class="ib-head">
        <h1 ref={heading} tabIndex={-1} class="ib-text">
          {view.name ?? 'Golden images'}
        </h1>
        <Ways view={view} />
      </header>
      {view.name === null && view.tab === 'names' ? (
        <Names key="names" />
      ) : (
        <Images key={`images ${view.name ?? ''}`} />
      )}
    </ImagesContext.Provider>
  )
  // Inside of Airflow's UI, its frame has the main landmark.
  return navigation.framed ? <div class="ib-images">{contents}</div> : <main class="ib-images">{contents}</main>
}

function Ways({ view }: { view: View }) {
  if (view.name !== null) {
    const back = { ...START, tab: view.tab, size: view.size }
    return (
      <nav aria-label="Golden images">
        <ViewLink to={back}>{view.tab === 'names' ? 'All names' : 'All images'}</ViewLink>
      </nav>
    )
  }
  return (
    <nav class="ib-tabs" aria-label="Golden images">
      <ViewLink to={tabbed(view, 'names')} current={view.tab === 'names'}>
        By name
      </ViewLink>
      <ViewLink to={tabbed(view, 'images')} current={view.tab === 'images'}>
        All images
      </ViewLink>
    </nav>
  )
}
