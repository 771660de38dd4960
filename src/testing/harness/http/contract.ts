/** Checks answers of the HTTP API against the OpenAPI document that the server gives of itself. */
import Ajv2020, { type ValidateFunction } from "ajv/dist/2020";
import addFormats from "ajv-formats";

interface MediaType {
  schema?: object;
}

interface OperationDescription {
  responses: Record<string, { content?: Record<string, MediaType>; headers?: Record<string, object> }>;
}

interface Document {
  paths: Record<string, Record<string, OperationDescription>>;
}

interface RequestOptions {
  headers?: Record<string, string>;
  body?: Uint8Array<ArrayBuffer> | string;
}

export class ApiContract {
  readonly document: Document;
  readonly #base: string;
  readonly #ajv = addFormats(new Ajv2020({ strict: false }));
  readonly #validators = new Map<string, ValidateFunction>();
  readonly #seen = new Set<string>();

  constructor(base: string, document: Document) {
    this.#base = base;
    this.document = document;
    this.#ajv.addSchema(document, "api");
  }

  static async open(base: string): Promise<ApiContract> {
    const response = await fetch(`${base}/api/openapi.json`);
    return new ApiContract(base, (await response.json()) as Document);
  }

  /** Operations, as `get /api/streams/{id}`, that no request has reached. */
  get untried(): string[] {
    const all = Object.entries(this.document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method} ${path}`),
    );
    return all.filter((each) => !this.#seen.has(each));
  }

  /** Sends a request and returns its answer. Throws if the document does not describe the answer. */
  async request(method: string, target: string, init: RequestOptions = {}): Promise<Response> {
    const response: Response = await fetch(new Request(`${this.#base}${target}`, { ...init, method }));
    const path = target.replace(/\?.*/s, "");
    const operation = this.#operationOf(method, path);
    if (operation === undefined) {
      this.#checkRefusal(method, path, response.status);
      return response;
    }
    const described = operation.responses[String(response.status)];
    if (described === undefined) throw new Error(`${method} ${target}: ${response.status} is not described`);
    const type = (response.headers.get("content-type") ?? "").replace(/;.*/, "");
    const body = await response.clone().arrayBuffer();
    this.#checkBody(`${method} ${target}`, type, body, described.content);
    return response;
  }

  /** A path without this operation may answer nothing but 404 and 405, or OPTIONS. */
  #checkRefusal(method: string, path: string, status: number): void {
    const wanted = this.#methodsOf(path) === undefined ? 404 : method === "OPTIONS" ? 204 : 405;
    if (status !== wanted) throw new Error(`${method} ${path}: ${status} instead of ${wanted}`);
  }

  #operationOf(method: string, path: string): OperationDescription | undefined {
    const found = this.#methodsOf(path);
    const isGet = method === "HEAD" && found?.[1]["head"] === undefined;
    const name = isGet ? "get" : method.toLowerCase();
    const operation = found?.[1][name];
    if (operation !== undefined) this.#seen.add(`${name} ${found![0]}`);
    return operation;
  }

  #methodsOf(path: string): [string, Record<string, OperationDescription>] | undefined {
    const entries = Object.entries(this.document.paths);
    // A fixed path goes before one with a placeholder.
    return entries.find(([template]) => template === path) ?? entries.find(([each]) => matches(each, path));
  }

  #checkBody(
    what: string,
    type: string,
    body: ArrayBuffer,
    content: Record<string, MediaType> | undefined,
  ): void {
    if (body.byteLength === 0) return;
    const media = content?.[type] ?? content?.["*/*"];
    if (media === undefined) throw new Error(`${what}: a body of type "${type}" is not described`);
    if (type !== "application/json" || media.schema === undefined) return;
    const validate = this.#validator(media.schema);
    const json: unknown = JSON.parse(new TextDecoder().decode(body));
    if (!validate(json)) throw new Error(`${what}: ${this.#ajv.errorsText(validate.errors)}`);
  }

  #validator(schema: object): ValidateFunction {
    const text = JSON.stringify(schema).replaceAll('"#/', '"api#/');
    let validate = this.#validators.get(text);
    if (validate === undefined) {
      validate = this.#ajv.compile(JSON.parse(text) as object);
      this.#validators.set(text, validate);
    }
    return validate;
  }
}

function matches(template: string, path: string): boolean {
  const pattern = template.replaceAll(/[.*+?^$()|[\]\\]/g, String.raw`\$&`).replaceAll(/\{\w+\}/g, "[^/?]+");
  return new RegExp(`^${pattern}$`).test(path);
}
