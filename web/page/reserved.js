/** Names that addresses cannot hold, or that the server answers with something else (web.go, isRoom). */
export const reserved =
  /^(\.{1,2}|favicon\.ico|robots\.txt|connect\.json|ws|.*\.(html|css|js|svg|png|webmanifest))$/i;
