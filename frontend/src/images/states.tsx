// Lists without rows: why, and what to do.
import { Empty } from '../shared/Empty'
import { ViewLink } from './ViewLink'
import { START, unfiltered, type View } from './view'

const FIRST = `from airflow.sdk import DAG
from airflow_imagebuilder import ImageBuilderTaskGroup

with DAG("golden_web", schedule="@weekly"):
    ImageBuilderTaskGroup(
        "golden_image",
        pipeline_arn="arn:aws:imagebuilder:<region>:<account>:image-pipeline/<name>",
    )`

/** No task has recorded an image yet. */
export function Begin() {
  return (
    <Empty title="No image yet">
      <p>
        An image is listed here as soon as a Dag that you may read builds it, or waits for it. To begin, put this into a
        file of your Dags folder:
      </p>
      <pre class="ib-code" role="region" aria-label="Example" tabIndex={0}>
        <code>{FIRST}</code>
      </pre>
      <p>
        Or trigger the example Dag <code>golden_image</code>: the folder <code>dags/</code> of the package&apos;s
        repository has it. The README and the folder <code>docs/</code> beside it describe the task group and all
        operators.
      </p>
    </Empty>
  )
}

export function Unmatched({ view, refocus }: { view: View; refocus: () => void }) {
  return (
    <Empty title="Nothing matches">
      <p class="ib-text">
        {view.text && <>No {view.tab === 'names' && !view.name ? 'name' : 'image'} has “<bdi>{view.text}</bdi>” in it</>}
        {view.text && view.status && ' and '}
        {view.status && <>{view.text ? 'is' : 'No image is'} in the state {view.status}</>}.
      </p>
      <p>
        <ViewLink to={unfiltered(view)} followed={refocus}>
          Show all
        </ViewLink>
      </p>
    </Empty>
  )
}

/** A name of which there is nothing, or nothing that this user may read. */
export function UnknownName({ name }: { name: string }) {
  return (
    <Empty title="No such image">
      <p class="ib-text">
        No image has the name “<bdi>{name}</bdi>”, or you may not read the Dags that build it.
      </p>
      <p>
        <ViewLink to={START}>All golden images</ViewLink>
      </p>
    </Empty>
  )
}

export function NoDag() {
  return (
    <Empty title="You may not read a Dag">
      <p>
        This page lists the images of the Dags that you may read, and there are none. An administrator of this Airflow
        can give you a role that reads the runs of Dags.
      </p>
    </Empty>
  )
}
