"""The HTTP service.

app       `create_app(settings)`: middleware, handlers, routes, start and stop
routes    one file a resource: documents, jobs, sync, questions, sessions, status
schemas   requests and responses, for validation and OpenAPI
depends   what routes depend on: the service, and the media type of a body
guard     middleware: hosts, origins, sizes
problems  errors as RFC 9457 problem documents
stream    server-sent events
ready     loading in the background, and what `/ready` says
schedule  the service's own schedule of syncs
serve     run the server in this process
"""
