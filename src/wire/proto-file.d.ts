/** An import as a file is its path, also in a single file. */
declare module "*.proto" {
  const path: string;
  export default path;
}
