// Sends requests as a JavaScript program does: with the SDK's own paginator, and with nothing
// but the environment to configure it. Takes requests as JSON, with the parameters of boto3's
// paginator, and prints the answers as JSON.

import { EC2Client, paginateDescribeFastLaunchImages } from "@aws-sdk/client-ec2";

const client = new EC2Client();

async function read({ PaginationConfig: paging = {}, ...request }) {
  const config = { client, pageSize: paging.PageSize, startingToken: paging.StartingToken };
  const pages = [];
  for await (const page of paginateDescribeFastLaunchImages(config, request)) pages.push(page);
  return { pages };
}

function refusal({ name, message, Code: code, $metadata: metadata }) {
  return { error: { name, code, message, ...metadata } };
}

const requests = JSON.parse(process.argv[2]);
const answers = [];
for (const request of requests) answers.push(await read(request).catch(refusal));
console.log(JSON.stringify(answers));
