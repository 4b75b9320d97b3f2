// What the healthcheck of mongo runs: it makes the replica set and the user who may only read, unless they
// exist. Healthy is a server that takes writes and knows that user.
const admin = db.getSiblingDB("admin");
const { READER_PASSWORD, READER_DATABASE } = process.env;
admin.auth(process.env.MONGO_INITDB_ROOT_USERNAME, process.env.MONGO_INITDB_ROOT_PASSWORD);
try {
  rs.status();
} catch (error) {
  if (error.codeName !== "NotYetInitialized") throw error;
  rs.initiate({ _id: "rs0", members: [{ _id: 0, host: "mongo:27017" }] });
}
if (!db.hello().isWritablePrimary) quit(1);
if (!admin.getUser("reader")) {
  admin.createUser({ user: "reader", pwd: READER_PASSWORD, roles: [{ role: "read", db: READER_DATABASE }] });
}
