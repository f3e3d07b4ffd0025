// The three lists of the page: the names, the images of all names, the images of one.
import { getImages, getNames, type ImageRow, type NameRow } from '../api'
import { IMAGE_COLUMNS, NAME_COLUMNS, VERSION_COLUMNS } from './columns'
import { usePage } from './context'
import { ListSection } from './ListSection'
import { Trend } from './trend/Trend'
import { useListed } from './usePage'
import type { View } from './view'

const changes = (image: ImageRow): boolean => !image.ended && !image.stale

/** One image is listed once for each task that recorded it: the one that built it, others that waited. */
const rowOf = ({ arn, dag_id, run_id, task }: ImageRow): string =>
  JSON.stringify([arn, dag_id, run_id, task.task_id, task.map_index])

function query({ text, sort, descending, size, page }: View) {
  return { text, sort, descending, limit: size, offset: (page - 1) * size }
}

export function Names() {
  const { view, show } = usePage()
  const asked = query(view)
  const listed = useListed<NameRow>(JSON.stringify(asked), view, show, {
    ask: (signal) => getNames(asked, signal),
    changes: ({ latest }) => changes(latest),
  })
  return (
    <ListSection
      listed={listed}
      columns={NAME_COLUMNS}
      identify={({ name }) => name}
      heading="name"
      caption="Golden images by name"
      noun="Names"
      states={false}
      placeholder="Name, version, ARN or AMI"
    />
  )
}

/** All images, or, where the view has a name, those of this name with their trend. */
export function Images() {
  const { view, show } = usePage()
  const asked = { ...query(view), name: view.name ?? undefined, status: view.status || undefined }
  const listed = useListed<ImageRow>(JSON.stringify(asked), view, show, {
    ask: (signal) => getImages(asked, signal),
    changes,
  })
  return (
    <>
      {view.name && <Trend name={view.name} />}
      <ListSection
        listed={listed}
        columns={view.name ? VERSION_COLUMNS : IMAGE_COLUMNS}
        identify={rowOf}
        heading={view.name ? 'version' : 'name'}
        caption={view.name ? `Images of ${view.name}` : 'All images'}
        noun="Images"
        states
        placeholder={view.name ? 'Version, ARN or AMI' : 'Name, version, ARN or AMI'}
      />
    </>
  )
}
