/** The names of streams, as expressions over a row of `streams`. */

/** The tag `name` of a stream: the name of the file that was uploaded, and perhaps the folders above it. */
export const nameTag = "json_extract(metadata, '$.tags.name')";
/** What follows the last slash of `nameTag`. Statements must spell it as the index does. */
export const baseName = `substr(${nameTag}, length(rtrim(${nameTag}, replace(${nameTag}, '/', ''))) + 1)`;
