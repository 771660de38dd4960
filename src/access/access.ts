/** Turns credentials into principals. */
import type { Credentials } from "./credentials.ts";
import { openPrincipal, type Principal } from "./principal.ts";

/** What gateways need of it. */
export interface Access {
  /**
   * Who has these credentials, at this address. Throws or rejects with UNAUTHENTICATED if they are wrong; without any
   * it is the anonymous principal, which may do what the operator allows everybody.
   */
  authenticate(credentials: Credentials, address: string): Principal | Promise<Principal>;
}

/** Everybody may do everything. */
export const openAccess: Access = { authenticate: (_, address) => openPrincipal(address) };
