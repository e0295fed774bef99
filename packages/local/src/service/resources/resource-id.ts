/** Ids of templates and registered volumes: they become names of files. */
export const RESOURCE_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;
