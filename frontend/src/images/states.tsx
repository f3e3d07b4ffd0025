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
        No image{view.status && ` in the state ${view.status}`}
        {view.text && (
          <>
            {' '}
            has “<bdi>{view.text}</bdi>” in its name, its version, its ARN or the ids of its AMIs
          </>
        )}
        {!view.text && ' is here'}.
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
    <Empty title="You may not read the images of any Dag">
      <p>
        This page lists the images of Dags whose runs, task instances and XComs you may read, and there is not one. An
        administrator of this Airflow can give you a role that reads them.
      </p>
    </Empty>
  )
}
