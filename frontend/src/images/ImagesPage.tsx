import type { Navigation } from '../navigation'

export function ImagesPage({ navigation }: { navigation: Navigation }) {
  return <p>Golden images {String(navigation.framed)}</p>
}
