// A build with the JavaScript SDK; prints what test_javascript.py asserts, as JSON.
const sdk = require("@aws-sdk/client-imagebuilder");

const AWS = "arn:aws:imagebuilder:us-east-1:aws";
const OWN = "arn:aws:imagebuilder:us-east-1:123456789012";

async function all(paginate, client, input, member) {
  const found = [];
  for await (const page of paginate({ client, pageSize: 7 }, input)) found.push(...page[member]);
  return found;
}

async function main() {
  const client = new sdk.ImagebuilderClient({ maxAttempts: 1 });
  const send = (command) => client.send(command);
  const components = await all(sdk.paginateListComponents, client, { owner: "Amazon" }, "componentVersionList");
  const images = await all(sdk.paginateListImages, client, { owner: "Amazon" }, "imageVersionList");
  const workflows = await all(sdk.paginateListWorkflows, client, { owner: "Amazon" }, "workflowVersionList");

  const recipe = await send(new sdk.CreateImageRecipeCommand({
    name: "own",
    semanticVersion: "1.0.0",
    parentImage: `${AWS}:image/amazon-linux-2023-x86/x.x.x`,
    components: [{ componentArn: `${AWS}:component/update-linux/x.x.x` }],
  }));
  const { imageBuildVersionArn } = await send(new sdk.CreateImageCommand({
    imageRecipeArn: recipe.imageRecipeArn,
    infrastructureConfigurationArn: `${OWN}:infrastructure-configuration/golden-build`,
    distributionConfigurationArn: `${OWN}:distribution-configuration/golden-two-regions`,
  }));
  let image;
  const deadline = Date.now() + 60000;
  do {
    ({ image } = await send(new sdk.GetImageCommand({ imageBuildVersionArn })));
  } while (!["AVAILABLE", "FAILED"].includes(image.state.status) && Date.now() < deadline);
  const runs = await all(sdk.paginateListWorkflowExecutions, client, { imageBuildVersionArn }, "workflowExecutions");
  const steps = await all(
    sdk.paginateListWorkflowStepExecutions, client, { workflowExecutionId: runs[0].workflowExecutionId }, "steps");
  const packages = await all(sdk.paginateListImagePackages, client, { imageBuildVersionArn }, "imagePackageList");

  const refusals = [];
  for (const command of [
    new sdk.GetImageCommand({ imageBuildVersionArn: `${OWN}:image/nothing/1.0.0/1` }),
    new sdk.CreateImageRecipeCommand({
      name: "own", semanticVersion: "1.0.0", parentImage: "ami-0123456789abcdef0" }),
    new sdk.CancelImageCreationCommand({ imageBuildVersionArn }),
  ]) {
    try {
      await send(command);
      refusals.push(null);
    } catch (error) {
      refusals.push([error.name, error.$metadata.httpStatusCode]);
    }
  }
  console.log(JSON.stringify({
    components: components.length,
    images: new Set(images.map((each) => each.arn)).size === images.length && images.length,
    workflows: workflows.map((each) => each.name),
    status: image.state.status,
    regions: image.outputResources.amis.map((ami) => ami.region).sort(),
    types: runs.map((each) => each.type),
    steps: steps.map((each) => each.name),
    packages: packages.length > 0,
    refusals,
  }));
}

main();
