// What came out of the build: AMIs by region and account, or URIs of container images.
import type { Build } from '../api'
import { Copied, Copy } from '../shared/Copy'

export function Outputs({ build }: { build: Build }) {
  const { amis, containers } = build
  return (
    <>
      {amis.length > 0 && (
        <section class="ib-outputs">
          <div class="ib-details-head">
            <h3>AMIs</h3>
            <Copy text={JSON.stringify(amis, null, 2)} of="all as JSON" labelled />
          </div>
          <div class="ib-scroll" tabIndex={0} role="region" aria-label={`AMIs of ${build.name} ${build.version}`}>
            <table class="ib-table">
              <thead>
                <tr>
                  <th scope="col">Region</th>
                  <th scope="col">AMI</th>
                  <th scope="col">Account</th>
                  <th scope="col">Name</th>
                </tr>
              </thead>
              <tbody>
                {amis.map(({ region, account_id, image, name }, index) => (
                  <tr key={index}>
                    <th scope="row" class="ib-nowrap">
                      <bdi>{region}</bdi>
                    </th>
                    <td class="ib-nowrap">{image && <Copied text={image} of={`${image} of ${region}`} />}</td>
                    <td class="ib-nowrap">{account_id}</td>
                    <td class="ib-text ib-ami-name">{name}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        </section>
      )}
      {containers.length > 0 && (
        <section class="ib-outputs">
          <div class="ib-details-head">
            <h3>Container images</h3>
            <Copy text={JSON.stringify(containers, null, 2)} of="all as JSON" labelled />
          </div>
          <dl class="ib-containers">
            {containers.map(({ region, image_uris }, index) => (
              <div key={index}>
                <dt class="ib-text">{region}</dt>
                {image_uris.map((uri) => (
                  <dd key={uri}>
                    <Copied text={uri} of={uri} />
                  </dd>
                ))}
              </div>
            ))}
          </dl>
        </section>
      )}
    </>
  )
}
