// What cells and links of the images page need from the page.
import { createContext } from 'preact'
import { useContext } from 'preact/hooks'
import type { Navigation } from '../navigation'
import type { Show } from './useView'
import type { View } from './view'

export interface PageContext {
  navigation: Navigation
  view: View
  show: Show
}

export const ImagesContext = createContext<PageContext | null>(null)

export function usePage(): PageContext {
  const page = useContext(ImagesContext)
  if (!page) throw new Error('Outside of the images page')
  return page
}
