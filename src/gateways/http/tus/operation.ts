/** What all operations of tus have in common: the version of the protocol in every request and answer. */
import { WavecacheError } from "../../../base/errors.ts";
import { endBody } from "../../../listen/end-body.ts";
import { errorResponse } from "../../../listen/error-response.ts";
import { tusVersion } from "../../../wire/tus.ts";
import { type Operation, operation, type OperationDefinition } from "../operation.ts";
import type { Parameters } from "../parameters.ts";

const versionHeader = "tus-resumable";

/** An operation for clients of this version. Errors are answered here: they bear the version, too. */
export function tusOperation<const P extends Parameters>(definition: OperationDefinition<P>): Operation {
  const each = operation(definition);
  return {
    ...each,
    headers: { "Tus-Resumable": `The version of the protocol: ${tusVersion}.`, ...each.headers },
    errors: ["TUS_VERSION_REFUSED", ...each.errors],
    async handle(asked) {
      const { request, meter } = asked;
      try {
        if (request.headers.get(versionHeader) !== tusVersion) {
          throw new WavecacheError("TUS_VERSION_REFUSED");
        }
        return withVersion(await each.handle(asked));
      } catch (error) {
        return withVersion(endBody(errorResponse(error, meter), request));
      }
    },
  };
}

/** A client of another version sees which ones there are. */
function withVersion(answer: Response): Response {
  answer.headers.set(versionHeader, tusVersion);
  if (answer.status === 412) answer.headers.set("tus-version", tusVersion);
  return answer;
}
