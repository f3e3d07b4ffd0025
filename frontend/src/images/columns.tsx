// The columns of both tables. Ids of columns that the server sorts by are its own names for them.
import type { ImageRow, NameRow } from '../api'
import { Age, BuiltBy, Findings, NameLink, Outputs, State, Tests, Took } from './cells'
import type { Columns } from './DataTable'

export const NAME_COLUMNS: Columns<NameRow> = [
  { id: 'name', accessorFn: ({ name }) => name, header: 'Name', cell: ({ row }) => <NameLink name={row.original.name} /> },
  {
    id: 'versions',
    header: 'Versions',
    enableSorting: false,
    cell: ({ row }) => row.original.versions.toLocaleString('en'),
  },
  {
    id: 'status',
    accessorFn: ({ latest }) => latest.status,
    header: 'Latest',
    cell: ({ row }) => <State image={row.original.latest} version />,
  },
  {
    id: 'created_at',
    accessorFn: ({ latest }) => latest.created_at,
    header: 'Age',
    cell: ({ row }) => <Age image={row.original.latest} />,
  },
  {
    id: 'duration',
    accessorFn: ({ latest }) => latest.duration,
    header: 'Duration',
    cell: ({ row }) => <Took image={row.original.latest} />,
  },
  { id: 'tests', header: 'Tests', cell: ({ row }) => <Tests image={row.original.latest} /> },
  { id: 'scan', header: 'Findings', cell: ({ row }) => <Findings scan={row.original.latest.scan} /> },
  { id: 'outputs', header: 'AMIs', cell: ({ row }) => <Outputs image={row.original.latest} /> },
  { id: 'run', header: 'Run', cell: ({ row }) => <BuiltBy image={row.original.latest} /> },
]

const VERSION: Columns<ImageRow> = [
  { id: 'version', header: 'Version', cell: ({ row }) => <span class="ib-text">{row.original.version}</span> },
]

const OF_ONE: Columns<ImageRow> = [
  {
    id: 'status',
    accessorFn: ({ status }) => status,
    header: 'State',
    cell: ({ row }) => <State image={row.original} />,
  },
  {
    id: 'created_at',
    accessorFn: ({ created_at }) => created_at,
    header: 'Age',
    cell: ({ row }) => <Age image={row.original} />,
  },
  {
    id: 'duration',
    accessorFn: ({ duration }) => duration,
    header: 'Duration',
    cell: ({ row }) => <Took image={row.original} />,
  },
  { id: 'tests', header: 'Tests', cell: ({ row }) => <Tests image={row.original} /> },
  { id: 'scan', header: 'Findings', cell: ({ row }) => <Findings scan={row.original.scan} /> },
  { id: 'outputs', header: 'AMIs', cell: ({ row }) => <Outputs image={row.original} /> },
  { id: 'run', header: 'Run', cell: ({ row }) => <BuiltBy image={row.original} /> },
]

/** All images of one name. */
export const VERSION_COLUMNS: Columns<ImageRow> = [...VERSION, ...OF_ONE]

/** Images of all names. */
export const IMAGE_COLUMNS: Columns<ImageRow> = [
  { id: 'name', accessorFn: ({ name }) => name, header: 'Name', cell: ({ row }) => <NameLink name={row.original.name} /> },
  ...VERSION,
  ...OF_ONE,
]
